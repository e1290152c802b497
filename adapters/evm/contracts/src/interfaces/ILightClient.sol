// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IIBCMsgs } from "./IIBCMsgs.sol";

/// @title Light client
/// @notice What the router asks of a client of another chain. Every function reverts unless the claim is proven.
interface ILightClient {
    /// @notice The outcome of an update.
    /// @param Update A new state was stored
    /// @param Misbehaviour The update proved misbehaviour and froze the client
    /// @param NoOp The state was known already
    enum UpdateResult {
        Update,
        Misbehaviour,
        NoOp
    }

    /// @notice The claim that `value` is stored under `path` at `proofHeight`.
    struct MsgVerifyMembership {
        bytes proof;
        IIBCMsgs.Height proofHeight;
        bytes[] path;
        bytes value;
    }

    /// @notice The claim that nothing is stored under `path` at `proofHeight`.
    struct MsgVerifyNonMembership {
        bytes proof;
        IIBCMsgs.Height proofHeight;
        bytes[] path;
    }

    /// @notice Verifies and stores a state of the counterparty.
    /// @param updateMsg The update, encoded as the client type wants it
    /// @return What the update did
    function updateClient(bytes calldata updateMsg) external returns (UpdateResult);

    /// @notice Verifies that a value is stored. Not `view`, so that a client type may cache proofs.
    /// @param msg_ The claim and its proof
    /// @return Unix seconds of the counterparty at the proof height
    function verifyMembership(MsgVerifyMembership calldata msg_) external returns (uint256);

    /// @notice Verifies that nothing is stored.
    /// @param msg_ The claim and its proof
    /// @return Unix seconds of the counterparty at the proof height
    function verifyNonMembership(MsgVerifyNonMembership calldata msg_) external returns (uint256);

    /// @notice Freezes the client if the message proves misbehaviour, reverts otherwise.
    /// @param misbehaviourMsg The evidence, encoded as the client type wants it
    function misbehaviour(bytes calldata misbehaviourMsg) external;

    /// @notice The state of the client, encoded as the client type defines it.
    /// @return The encoded state
    function getClientState() external view returns (bytes memory);
}
