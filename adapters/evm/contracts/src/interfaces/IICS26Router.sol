// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IIBCApp } from "./IIBCApp.sol";
import { IICS02Client } from "./IICS02Client.sol";

/// @title ICS-26 router
/// @notice Sends, receives, acknowledges and times out packets.
interface IICS26Router is IICS02Client {
    /// @notice Sends a packet. Only the application of the source port may.
    /// @param msg_ The packet to be
    /// @return The sequence it got
    function sendPacket(MsgSendPacket calldata msg_) external returns (uint64);

    /// @notice Receives a packet that is proven to be committed on the counterparty.
    /// @param msg_ The packet and its proof
    function recvPacket(MsgRecvPacket calldata msg_) external;

    /// @notice Ends a packet whose acknowledgement is proven to be written on the counterparty.
    /// @param msg_ The packet, the acknowledgement and its proof
    function ackPacket(MsgAckPacket calldata msg_) external;

    /// @notice Ends a packet whose receipt is proven to be absent on the counterparty after the timeout.
    /// @param msg_ The packet and the proof
    function timeoutPacket(MsgTimeoutPacket calldata msg_) external;

    /// @notice Binds a port to an application for good. Needs the admin role.
    /// @param portId The port
    /// @param app The application contract
    function addIBCApp(string calldata portId, address app) external;

    /// @notice The application of a port.
    /// @param portId The port
    /// @return The application contract
    function getIBCApp(string calldata portId) external view returns (IIBCApp);

    /// @notice A commitment, receipt or acknowledgement commitment.
    /// @param hashedPath keccak256 of the ICS-24 path
    /// @return The stored value, zero if there is none
    function getCommitment(bytes32 hashedPath) external view returns (bytes32);

    /// @notice How many packets a client has sent.
    /// @param clientId The client
    /// @return The last sequence, 0 if there is none
    function getLastSequenceSent(string calldata clientId) external view returns (uint64);

    /// @notice Stops sending and receiving. Acknowledgements and timeouts go on, so that nothing in flight is stuck.
    function pause() external;

    /// @notice Ends a pause.
    function unpause() external;

    /// @notice Chooses who may relay. Needs the admin role.
    /// @param enabled True: only holders of the relayer role. False: anyone.
    function setRelayerListEnabled(bool enabled) external;

    /// @notice Whether only holders of the relayer role may relay.
    function relayerListEnabled() external view returns (bool);

    /// @notice An application was bound to a port.
    event IBCAppAdded(string portId, address app);
    /// @notice The relayer list was switched on or off.
    event RelayerListEnabled(bool enabled);
    /// @notice A packet was sent.
    event SendPacket(string indexed clientId, uint256 indexed sequence, Packet packet);
    /// @notice A packet was received and answered.
    event WriteAcknowledgement(
        string indexed clientId, uint256 indexed sequence, Packet packet, bytes[] acknowledgements
    );
    /// @notice A packet ended with an acknowledgement.
    event AckPacket(string indexed clientId, uint256 indexed sequence, Packet packet, bytes acknowledgement);
    /// @notice A packet ended with a timeout.
    event TimeoutPacket(string indexed clientId, uint256 indexed sequence, Packet packet);
    /// @notice The packet had reached this point before; nothing changed.
    event Noop();
    /// @notice The application refused a packet; the answer is the universal error acknowledgement.
    /// @param reason The revert data, cut at 1,024 bytes
    event IBCAppRecvPacketCallbackError(bytes reason);

    /// @notice The port is taken.
    error IBCPortAlreadyExists(string portId);
    /// @notice The identifier is too short, too long or has a character that is not allowed.
    error IBCInvalidPortIdentifier(string portId);
    /// @notice The address has no code.
    error IBCInvalidApp(address app);
    /// @notice No application has the port.
    error IBCAppNotFound(string portId);
    /// @notice Only the application of the port may send from it.
    error IBCUnauthorizedSender(address caller);
    /// @notice The relayer list is on and the caller is not on it.
    error IBCUnauthorizedRelayer(address caller);
    /// @notice The timeout has passed, or, for a timeout, has not been reached yet.
    error IBCInvalidTimeoutTimestamp(uint256 timeoutTimestamp, uint256 comparedTimestamp);
    /// @notice The timeout is further away than a counterparty accepts.
    error IBCInvalidTimeoutDuration(uint256 maximumSeconds, uint256 actualSeconds);
    /// @notice A packet has exactly one payload.
    error IBCInvalidPayloadCount(uint256 expected, uint256 actual);
    /// @notice Version, encoding or value is empty.
    error IBCEmptyPayloadField(string field);
    /// @notice The payload is longer than can be delivered in one transaction.
    error IBCPayloadTooLarge(uint256 maximumBytes, uint256 actualBytes);
    /// @notice The application answered with nothing.
    error IBCAsyncAcknowledgementNotSupported();
    /// @notice The application answered with the acknowledgement that is kept for refused packets.
    error IBCErrorUniversalAcknowledgement();
    /// @notice The application failed without a reason, as it does when gas runs out. Nothing was received.
    error IBCFailedCallback();
    /// @notice Another packet is committed under this sequence.
    error IBCPacketCommitmentMismatch(bytes32 stored, bytes32 given);
    /// @notice Another packet was received under this sequence.
    error IBCPacketReceiptMismatch(bytes32 stored, bytes32 given);
    /// @notice The packet was answered before.
    error IBCPacketAcknowledgementAlreadyExists(bytes32 hashedPath);
}
