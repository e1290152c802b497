// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IIBCMsgs } from "../interfaces/IIBCMsgs.sol";

/// @title ICS-24 host paths and ICS-04 v2 commitments
/// @notice The byte forms that both chains hash, as ibc-go v11 has them.
library ICS24 {
    /// @dev First byte of every packet and acknowledgement commitment of IBC v2.
    bytes1 private constant VERSION_TAG = 0x02;

    /// @dev The path markers of ICS-24 v2.
    bytes1 private constant PACKET_MARKER = 0x01;
    bytes1 private constant RECEIPT_MARKER = 0x02;
    bytes1 private constant ACK_MARKER = 0x03;

    /// @notice The acknowledgement of a packet that the application refused.
    /// @return sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT")
    function universalErrorAck() internal pure returns (bytes memory) {
        return abi.encodePacked(sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT"));
    }

    /// @notice Whether an acknowledgement is the universal error.
    function isUniversalErrorAck(bytes memory ack) internal pure returns (bool) {
        return keccak256(ack) == keccak256(universalErrorAck());
    }

    /// @notice Where the source chain keeps the commitment of a packet.
    function packetPath(string memory clientId, uint64 sequence) internal pure returns (bytes memory) {
        return abi.encodePacked(clientId, PACKET_MARKER, sequence);
    }

    /// @notice Where the destination chain keeps the receipt of a packet.
    function receiptPath(string memory clientId, uint64 sequence) internal pure returns (bytes memory) {
        return abi.encodePacked(clientId, RECEIPT_MARKER, sequence);
    }

    /// @notice Where the destination chain keeps the commitment of an acknowledgement.
    function ackPath(string memory clientId, uint64 sequence) internal pure returns (bytes memory) {
        return abi.encodePacked(clientId, ACK_MARKER, sequence);
    }

    /// @notice The counterparty's prefix with the path appended to its last element.
    function prefixedPath(bytes[] memory prefix, bytes memory path) internal pure returns (bytes[] memory) {
        prefix[prefix.length - 1] = abi.encodePacked(prefix[prefix.length - 1], path);
        return prefix;
    }

    /// @notice The hash of one payload.
    function payloadHash(IIBCMsgs.Payload calldata payload) internal pure returns (bytes32) {
        return sha256(
            abi.encodePacked(
                sha256(bytes(payload.sourcePort)),
                sha256(bytes(payload.destPort)),
                sha256(bytes(payload.version)),
                sha256(bytes(payload.encoding)),
                sha256(payload.value)
            )
        );
    }

    /// @notice The commitment of a packet.
    /// @param destClient The client on the destination chain
    /// @param timeoutTimestamp Unix seconds
    /// @param payloadHashes The payload hashes, one after the other
    function packetCommitment(
        string memory destClient,
        uint64 timeoutTimestamp,
        bytes memory payloadHashes
    )
        internal
        pure
        returns (bytes32)
    {
        return sha256(
            abi.encodePacked(
                VERSION_TAG,
                sha256(bytes(destClient)),
                sha256(abi.encodePacked(timeoutTimestamp)),
                sha256(payloadHashes)
            )
        );
    }

    /// @notice The commitment of a packet as it came in.
    function packetCommitment(IIBCMsgs.Packet calldata packet) internal pure returns (bytes32) {
        bytes memory hashes;
        for (uint256 i = 0; i < packet.payloads.length; ++i) {
            hashes = abi.encodePacked(hashes, payloadHash(packet.payloads[i]));
        }
        return packetCommitment(packet.destClient, packet.timeoutTimestamp, hashes);
    }

    /// @notice The commitment of the acknowledgements of a packet, one for each payload.
    function ackCommitment(bytes[] memory acks) internal pure returns (bytes32) {
        bytes memory preimage = abi.encodePacked(VERSION_TAG);
        for (uint256 i = 0; i < acks.length; ++i) {
            preimage = abi.encodePacked(preimage, sha256(acks[i]));
        }
        return sha256(preimage);
    }

    /// @notice What this router keeps as the receipt of a packet. Only its absence is ever proven.
    function receipt(IIBCMsgs.Packet calldata packet) internal pure returns (bytes32) {
        return keccak256(abi.encode(packet));
    }
}
