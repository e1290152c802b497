// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Wire types of IBC v2
/// @notice Field order and types are the ABI that relayers encode; a change here is a change of the wire.
interface IIBCMsgs {
    /// @notice A height of the counterparty chain.
    /// @param revisionNumber The revision, 0 for attested chains
    /// @param revisionHeight The block height
    struct Height {
        uint64 revisionNumber;
        uint64 revisionHeight;
    }

    /// @notice What one application says to another.
    struct Payload {
        string sourcePort;
        string destPort;
        string version;
        string encoding;
        bytes value;
    }

    /// @notice A packet, as it is committed to on the source chain.
    /// @param timeoutTimestamp Unix seconds at which the destination refuses the packet
    struct Packet {
        uint64 sequence;
        string sourceClient;
        string destClient;
        uint64 timeoutTimestamp;
        Payload[] payloads;
    }

    /// @notice Arguments of `sendPacket`.
    struct MsgSendPacket {
        string sourceClient;
        uint64 timeoutTimestamp;
        Payload payload;
    }

    /// @notice Arguments of `recvPacket`.
    struct MsgRecvPacket {
        Packet packet;
        bytes proofCommitment;
        Height proofHeight;
    }

    /// @notice Arguments of `ackPacket`.
    struct MsgAckPacket {
        Packet packet;
        bytes acknowledgement;
        bytes proofAcked;
        Height proofHeight;
    }

    /// @notice Arguments of `timeoutPacket`.
    struct MsgTimeoutPacket {
        Packet packet;
        bytes proofTimeout;
        Height proofHeight;
    }

    /// @notice The other end of a client.
    /// @param clientId The client of this chain on the counterparty
    /// @param merklePrefix Key path elements under which the counterparty stores its commitments; the ICS-24 path is
    /// appended to the last one
    struct CounterpartyInfo {
        string clientId;
        bytes[] merklePrefix;
    }
}
