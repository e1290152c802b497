// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IIBCMsgs } from "./IIBCMsgs.sol";

/// @title IBC application
/// @notice What the router calls. Every function must refuse callers other than the router.
interface IIBCApp {
    /// @notice A packet arrived.
    struct OnRecvPacketCallback {
        string sourceClient;
        string destinationClient;
        uint64 sequence;
        IIBCMsgs.Payload payload;
        address relayer;
    }

    /// @notice A packet was answered.
    struct OnAcknowledgementPacketCallback {
        string sourceClient;
        string destinationClient;
        uint64 sequence;
        IIBCMsgs.Payload payload;
        bytes acknowledgement;
        address relayer;
    }

    /// @notice A packet will never arrive.
    struct OnTimeoutPacketCallback {
        string sourceClient;
        string destinationClient;
        uint64 sequence;
        IIBCMsgs.Payload payload;
        address relayer;
    }

    /// @notice Handles a packet. A revert with data answers the universal error acknowledgement; a revert without data
    /// makes the whole receive fail, to be tried again.
    /// @param msg_ The packet
    /// @return The acknowledgement, not empty
    function onRecvPacket(OnRecvPacketCallback calldata msg_) external returns (bytes memory);

    /// @notice Handles the answer to a packet.
    /// @param msg_ The packet and the acknowledgement
    function onAcknowledgementPacket(OnAcknowledgementPacketCallback calldata msg_) external;

    /// @notice Handles a timeout.
    /// @param msg_ The packet
    function onTimeoutPacket(OnTimeoutPacketCallback calldata msg_) external;
}
