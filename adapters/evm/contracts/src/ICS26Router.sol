// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Multicall } from "@openzeppelin/contracts/utils/Multicall.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";
import { ReentrancyGuard } from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import { IBCStore } from "./IBCStore.sol";
import { ICS02Client } from "./ICS02Client.sol";
import { IIBCApp } from "./interfaces/IIBCApp.sol";
import { IICS26Router } from "./interfaces/IICS26Router.sol";
import { ILightClient } from "./interfaces/ILightClient.sol";
import { ICS24 } from "./libs/ICS24.sol";
import { Identifiers } from "./libs/Identifiers.sol";

/// @title ICS-26 router
/// @notice Moves packets between applications here and on other chains. It believes light clients and nobody else.
/// @dev The code never changes. Proofs come before everything, the redundancy check included, so that a `Noop` says the
/// claim was proven. What can grow: one slot for each packet in flight from here, two for each packet received.
contract ICS26Router is IBCStore, ICS02Client, ReentrancyGuard, Pausable, Multicall {
    /// @notice ibc-go refuses packets that time out later than this.
    uint256 public constant MAX_TIMEOUT_SECONDS = 1 days;

    /// @notice Most bytes of the five payload fields together. A node of a permissioned network may take transactions
    /// of 64 KB only, and a packet has to be brought back with its acknowledgement and proofs in one.
    uint256 public constant MAX_PAYLOAD_BYTES = 40_960;

    /// @dev How much of an application's revert data goes into the event.
    uint256 private constant MAX_REASON_BYTES = 1024;

    mapping(string portId => IIBCApp app) private _apps;

    /// @param admin Gets the admin role and with it the right to grant every other
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc IICS26Router
    function addIBCApp(string calldata portId, address app) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!Identifiers.isPortId(portId)) revert IBCInvalidPortIdentifier(portId);
        if (app.code.length == 0) revert IBCInvalidApp(app);
        if (address(_apps[portId]) != address(0)) revert IBCPortAlreadyExists(portId);
        _apps[portId] = IIBCApp(app);
        emit IBCAppAdded(portId, app);
    }

    /// @inheritdoc IICS26Router
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @inheritdoc IICS26Router
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @inheritdoc IICS26Router
    function sendPacket(MsgSendPacket calldata msg_) external nonReentrant whenNotPaused returns (uint64 sequence) {
        if (address(getIBCApp(msg_.payload.sourcePort)) != msg.sender) revert IBCUnauthorizedSender(msg.sender);
        _checkSendTimeout(msg_.timeoutTimestamp);
        _checkPayload(msg_.payload);

        Packet memory packet;
        packet.destClient = getCounterparty(msg_.sourceClient).clientId;
        packet.sourceClient = msg_.sourceClient;
        packet.timeoutTimestamp = msg_.timeoutTimestamp;
        packet.payloads = new Payload[](1);
        packet.payloads[0] = msg_.payload;
        sequence = _nextSequence(msg_.sourceClient);
        packet.sequence = sequence;

        bytes memory hashes = abi.encodePacked(ICS24.payloadHash(msg_.payload));
        bytes32 commitment = ICS24.packetCommitment(packet.destClient, msg_.timeoutTimestamp, hashes);
        _commitPacket(msg_.sourceClient, sequence, commitment);
        emit SendPacket(msg_.sourceClient, sequence, packet);
    }

    /// @inheritdoc IICS26Router
    function recvPacket(MsgRecvPacket calldata msg_) external nonReentrant onlyRelayer whenNotPaused {
        Packet calldata packet = msg_.packet;
        _checkPayloadCount(packet);
        CounterpartyInfo memory counterparty = getCounterparty(packet.destClient);
        _checkCounterparty(counterparty, packet.sourceClient);
        if (block.timestamp >= packet.timeoutTimestamp) {
            revert IBCInvalidTimeoutTimestamp(packet.timeoutTimestamp, block.timestamp);
        }
        getClient(packet.destClient).verifyMembership(
            ILightClient.MsgVerifyMembership({
                proof: msg_.proofCommitment,
                proofHeight: msg_.proofHeight,
                path: ICS24.prefixedPath(
                    counterparty.merklePrefix, ICS24.packetPath(packet.sourceClient, packet.sequence)
                ),
                value: abi.encodePacked(ICS24.packetCommitment(packet))
            })
        );

        if (!_setReceipt(packet)) {
            emit Noop();
            return;
        }
        bytes[] memory acks = new bytes[](1);
        acks[0] = _deliver(packet);
        _commitAck(packet, acks);
        emit WriteAcknowledgement(packet.destClient, packet.sequence, packet, acks);
    }

    /// @inheritdoc IICS26Router
    function ackPacket(MsgAckPacket calldata msg_) external nonReentrant onlyRelayer {
        Packet calldata packet = msg_.packet;
        _checkPayloadCount(packet);
        CounterpartyInfo memory counterparty = getCounterparty(packet.sourceClient);
        _checkCounterparty(counterparty, packet.destClient);
        bytes[] memory acks = new bytes[](1);
        acks[0] = msg_.acknowledgement;
        getClient(packet.sourceClient).verifyMembership(
            ILightClient.MsgVerifyMembership({
                proof: msg_.proofAcked,
                proofHeight: msg_.proofHeight,
                path: ICS24.prefixedPath(counterparty.merklePrefix, ICS24.ackPath(packet.destClient, packet.sequence)),
                value: abi.encodePacked(ICS24.ackCommitment(acks))
            })
        );

        if (!_deletePacketCommitment(packet)) {
            emit Noop();
            return;
        }
        getIBCApp(packet.payloads[0].sourcePort).onAcknowledgementPacket(
            IIBCApp.OnAcknowledgementPacketCallback({
                sourceClient: packet.sourceClient,
                destinationClient: packet.destClient,
                sequence: packet.sequence,
                payload: packet.payloads[0],
                acknowledgement: msg_.acknowledgement,
                relayer: msg.sender
            })
        );
        emit AckPacket(packet.sourceClient, packet.sequence, packet, msg_.acknowledgement);
    }

    /// @inheritdoc IICS26Router
    function timeoutPacket(MsgTimeoutPacket calldata msg_) external nonReentrant onlyRelayer {
        Packet calldata packet = msg_.packet;
        _checkPayloadCount(packet);
        CounterpartyInfo memory counterparty = getCounterparty(packet.sourceClient);
        _checkCounterparty(counterparty, packet.destClient);
        uint256 provenSeconds = getClient(packet.sourceClient).verifyNonMembership(
            ILightClient.MsgVerifyNonMembership({
                proof: msg_.proofTimeout,
                proofHeight: msg_.proofHeight,
                path: ICS24.prefixedPath(
                    counterparty.merklePrefix, ICS24.receiptPath(packet.destClient, packet.sequence)
                )
            })
        );
        if (provenSeconds < packet.timeoutTimestamp) {
            revert IBCInvalidTimeoutTimestamp(packet.timeoutTimestamp, provenSeconds);
        }

        if (!_deletePacketCommitment(packet)) {
            emit Noop();
            return;
        }
        getIBCApp(packet.payloads[0].sourcePort).onTimeoutPacket(
            IIBCApp.OnTimeoutPacketCallback({
                sourceClient: packet.sourceClient,
                destinationClient: packet.destClient,
                sequence: packet.sequence,
                payload: packet.payloads[0],
                relayer: msg.sender
            })
        );
        emit TimeoutPacket(packet.sourceClient, packet.sequence, packet);
    }

    /// @inheritdoc IICS26Router
    function getIBCApp(string calldata portId) public view returns (IIBCApp) {
        IIBCApp app = _apps[portId];
        if (address(app) == address(0)) revert IBCAppNotFound(portId);
        return app;
    }

    /// @dev Hands a packet to its application. An application that reverts with data has refused: the answer is the
    /// universal error, and the sender is refunded. One that reverts without data has not decided: gas ran out, which a
    /// relayer can cause at will, so nothing may come of it.
    function _deliver(Packet calldata packet) private returns (bytes memory) {
        Payload calldata payload = packet.payloads[0];
        IIBCApp.OnRecvPacketCallback memory callback = IIBCApp.OnRecvPacketCallback({
            sourceClient: packet.sourceClient,
            destinationClient: packet.destClient,
            sequence: packet.sequence,
            payload: payload,
            relayer: msg.sender
        });
        try getIBCApp(payload.destPort).onRecvPacket(callback) returns (bytes memory ack) {
            if (ack.length == 0) revert IBCAsyncAcknowledgementNotSupported();
            if (ICS24.isUniversalErrorAck(ack)) revert IBCErrorUniversalAcknowledgement();
            return ack;
        } catch (bytes memory reason) {
            if (reason.length == 0) revert IBCFailedCallback();
            if (reason.length > MAX_REASON_BYTES) {
                assembly ("memory-safe") {
                    mstore(reason, MAX_REASON_BYTES)
                }
            }
            emit IBCAppRecvPacketCallbackError(reason);
            return ICS24.universalErrorAck();
        }
    }

    function _checkSendTimeout(uint64 timeoutTimestamp) private view {
        if (timeoutTimestamp <= block.timestamp) revert IBCInvalidTimeoutTimestamp(timeoutTimestamp, block.timestamp);
        uint256 ahead = timeoutTimestamp - block.timestamp;
        if (ahead > MAX_TIMEOUT_SECONDS) revert IBCInvalidTimeoutDuration(MAX_TIMEOUT_SECONDS, ahead);
    }

    function _checkPayloadCount(Packet calldata packet) private pure {
        if (packet.payloads.length != 1) revert IBCInvalidPayloadCount(1, packet.payloads.length);
    }

    /// @dev ibc-go refuses a packet with a bad port or an empty field outright, so such a packet could only time out.
    function _checkPayload(Payload calldata payload) private pure {
        if (!Identifiers.isPortId(payload.destPort)) revert IBCInvalidPortIdentifier(payload.destPort);
        if (bytes(payload.version).length == 0) revert IBCEmptyPayloadField("version");
        if (bytes(payload.encoding).length == 0) revert IBCEmptyPayloadField("encoding");
        if (payload.value.length == 0) revert IBCEmptyPayloadField("value");
        uint256 size = bytes(payload.sourcePort).length + bytes(payload.destPort).length
            + bytes(payload.version).length + bytes(payload.encoding).length + payload.value.length;
        if (size > MAX_PAYLOAD_BYTES) revert IBCPayloadTooLarge(MAX_PAYLOAD_BYTES, size);
    }
}
