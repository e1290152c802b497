// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { AccessControl } from "@openzeppelin/contracts/access/AccessControl.sol";
import { Strings } from "@openzeppelin/contracts/utils/Strings.sol";
import { IICS02Client } from "./interfaces/IICS02Client.sol";
import { IICS26Router } from "./interfaces/IICS26Router.sol";
import { ILightClient } from "./interfaces/ILightClient.sol";
import { Identifiers } from "./libs/Identifiers.sol";

/// @title ICS-02 client management and the roles of the router
/// @dev What can grow: one entry for each added client, of bounded size, paid for by whoever adds it.
abstract contract ICS02Client is IICS26Router, AccessControl {
    /// @notice May call `updateClient`, `recvPacket`, `ackPacket` and `timeoutPacket` while the relayer list is on.
    bytes32 public constant RELAYER_ROLE = keccak256("RELAYER_ROLE");
    /// @notice May stop and restart sending and receiving.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice May put another light client behind an identifier, and with that make anything true: the highest trust.
    bytes32 public constant CLIENT_MIGRATOR_ROLE = keccak256("CLIENT_MIGRATOR_ROLE");

    /// @dev Every proof copies the prefix, so it is kept short. No chain has a longer one.
    uint256 private constant MAX_PREFIX_ELEMENTS = 4;
    uint256 private constant MAX_PREFIX_ELEMENT_BYTES = 64;

    mapping(string clientId => ILightClient client) private _clients;
    mapping(string clientId => CounterpartyInfo counterparty) private _counterparties;
    uint256 private _nextClientSeq;

    /// @inheritdoc IICS26Router
    bool public relayerListEnabled;

    modifier onlyRelayer() {
        if (relayerListEnabled && !hasRole(RELAYER_ROLE, msg.sender)) revert IBCUnauthorizedRelayer(msg.sender);
        _;
    }

    /// @inheritdoc IICS26Router
    function setRelayerListEnabled(bool enabled) external onlyRole(DEFAULT_ADMIN_ROLE) {
        relayerListEnabled = enabled;
        emit RelayerListEnabled(enabled);
    }

    /// @inheritdoc IICS02Client
    function addClient(
        CounterpartyInfo calldata counterparty,
        address client
    )
        external
        returns (string memory clientId)
    {
        _checkClient(counterparty, client);
        clientId = string.concat("client-", Strings.toString(_nextClientSeq++));
        _clients[clientId] = ILightClient(client);
        _counterparties[clientId] = counterparty;
        emit ICS02ClientAdded(clientId, counterparty, client);
    }

    /// @inheritdoc IICS02Client
    function migrateClient(
        string calldata clientId,
        CounterpartyInfo calldata counterparty,
        address client
    )
        external
        onlyRole(CLIENT_MIGRATOR_ROLE)
    {
        _checkClient(counterparty, client);
        _checkCounterparty(getCounterparty(clientId), counterparty.clientId);
        _clients[clientId] = ILightClient(client);
        _counterparties[clientId] = counterparty;
        emit ICS02ClientMigrated(clientId, counterparty, client);
    }

    /// @inheritdoc IICS02Client
    function updateClient(
        string calldata clientId,
        bytes calldata updateMsg
    )
        external
        onlyRelayer
        returns (ILightClient.UpdateResult result)
    {
        result = getClient(clientId).updateClient(updateMsg);
        emit ICS02ClientUpdated(clientId, result);
    }

    /// @inheritdoc IICS02Client
    function submitMisbehaviour(string calldata clientId, bytes calldata misbehaviourMsg) external {
        getClient(clientId).misbehaviour(misbehaviourMsg);
        emit ICS02MisbehaviourSubmitted(clientId);
    }

    /// @inheritdoc IICS02Client
    function getNextClientSeq() external view returns (uint256) {
        return _nextClientSeq;
    }

    /// @inheritdoc IICS02Client
    function getClient(string calldata clientId) public view returns (ILightClient) {
        ILightClient client = _clients[clientId];
        if (address(client) == address(0)) revert IBCClientNotFound(clientId);
        return client;
    }

    /// @inheritdoc IICS02Client
    function getCounterparty(string calldata clientId) public view returns (CounterpartyInfo memory counterparty) {
        counterparty = _counterparties[clientId];
        if (bytes(counterparty.clientId).length == 0) revert IBCClientNotFound(clientId);
    }

    /// @dev Refuses a packet from or to another client than the one at the other end.
    function _checkCounterparty(CounterpartyInfo memory counterparty, string calldata actual) internal pure {
        if (keccak256(bytes(counterparty.clientId)) != keccak256(bytes(actual))) {
            revert IBCInvalidCounterparty(counterparty.clientId, actual);
        }
    }

    function _checkClient(CounterpartyInfo calldata counterparty, address client) private view {
        if (client.code.length == 0) revert IBCInvalidClient(client);
        if (!Identifiers.isClientId(counterparty.clientId)) revert IBCInvalidClientId(counterparty.clientId);
        uint256 elements = counterparty.merklePrefix.length;
        bool fits = elements != 0 && elements <= MAX_PREFIX_ELEMENTS;
        for (uint256 i = 0; fits && i < elements; ++i) {
            fits = counterparty.merklePrefix[i].length <= MAX_PREFIX_ELEMENT_BYTES;
        }
        if (!fits) revert IBCInvalidMerklePrefix(elements, MAX_PREFIX_ELEMENTS, MAX_PREFIX_ELEMENT_BYTES);
    }
}
