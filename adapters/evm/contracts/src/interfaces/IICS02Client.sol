// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IIBCMsgs } from "./IIBCMsgs.sol";
import { ILightClient } from "./ILightClient.sol";

/// @title ICS-02 client management
/// @notice Which light client stands behind a client identifier, and who is at the other end.
interface IICS02Client is IIBCMsgs {
    /// @notice Adds a client. Anyone may: a client is worth what the light client behind it is worth, and nothing
    /// happens on it until somebody chooses to send over it.
    /// @param counterparty The other end
    /// @param client The light client contract
    /// @return clientId The identifier it got, `client-N`
    function addClient(
        CounterpartyInfo calldata counterparty,
        address client
    )
        external
        returns (string memory clientId);

    /// @notice Puts another light client behind an identifier. Needs the client migrator role.
    /// @dev The counterparty's client identifier must stay: receipts and sequences belong to the pair.
    /// @param clientId The client
    /// @param counterparty The other end, with a new prefix if the new light client type needs one
    /// @param client The new light client contract
    function migrateClient(string calldata clientId, CounterpartyInfo calldata counterparty, address client) external;

    /// @notice Hands an update to a light client.
    /// @param clientId The client
    /// @param updateMsg The update, encoded as the client type wants it
    /// @return What the update did
    function updateClient(
        string calldata clientId,
        bytes calldata updateMsg
    )
        external
        returns (ILightClient.UpdateResult);

    /// @notice Hands evidence of misbehaviour to a light client. Anyone may.
    /// @param clientId The client
    /// @param misbehaviourMsg The evidence, encoded as the client type wants it
    function submitMisbehaviour(string calldata clientId, bytes calldata misbehaviourMsg) external;

    /// @notice The light client behind an identifier.
    /// @param clientId The client
    /// @return The light client contract
    function getClient(string calldata clientId) external view returns (ILightClient);

    /// @notice The other end of a client.
    /// @param clientId The client
    /// @return The counterparty
    function getCounterparty(string calldata clientId) external view returns (CounterpartyInfo memory);

    /// @notice The number the next client gets.
    /// @return N of the next `client-N`
    function getNextClientSeq() external view returns (uint256);

    /// @notice A client was added.
    event ICS02ClientAdded(string clientId, CounterpartyInfo counterpartyInfo, address client);
    /// @notice Another light client stands behind the identifier.
    event ICS02ClientMigrated(string clientId, CounterpartyInfo counterpartyInfo, address client);
    /// @notice A light client took an update.
    event ICS02ClientUpdated(string clientId, ILightClient.UpdateResult result);
    /// @notice A light client took evidence of misbehaviour and is frozen.
    event ICS02MisbehaviourSubmitted(string clientId);

    /// @notice There is no such client.
    error IBCClientNotFound(string clientId);
    /// @notice The identifier is too short, too long or has a character that is not allowed.
    error IBCInvalidClientId(string clientId);
    /// @notice The address has no code.
    error IBCInvalidClient(address client);
    /// @notice The prefix is empty, or it or one of its elements is too long.
    error IBCInvalidMerklePrefix(uint256 elements, uint256 maximumElements, uint256 maximumElementBytes);
    /// @notice The other end is another client.
    error IBCInvalidCounterparty(string expected, string actual);
}
