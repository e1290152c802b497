// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IIBCMsgs } from "./interfaces/IIBCMsgs.sol";
import { IICS26Router } from "./interfaces/IICS26Router.sol";
import { ICS24 } from "./libs/ICS24.sol";

/// @title IBC store
/// @notice The provable part of the router's storage.
/// @dev Other chains prove slots of this contract: the commitment of a path is at
/// keccak256(keccak256(path) . IBC_STORE_SLOT). The location is fixed by ERC-7201 for `ibc.storage.IBCStore` and must
/// never move.
abstract contract IBCStore is IICS26Router {
    /// @custom:storage-location erc7201:ibc.storage.IBCStore
    struct IBCStoreStorage {
        mapping(bytes32 hashedPath => bytes32 commitment) commitments;
        mapping(string clientId => uint64 sequence) lastSequenceSent;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("ibc.storage.IBCStore")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant IBC_STORE_SLOT = 0x1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600;

    /// @inheritdoc IICS26Router
    function getCommitment(bytes32 hashedPath) external view returns (bytes32) {
        return _store().commitments[hashedPath];
    }

    /// @inheritdoc IICS26Router
    function getLastSequenceSent(string calldata clientId) external view returns (uint64) {
        return _store().lastSequenceSent[clientId];
    }

    /// @dev Sequences of a client start at 1 and have no gap.
    function _nextSequence(string calldata clientId) internal returns (uint64 sequence) {
        sequence = _store().lastSequenceSent[clientId] + 1;
        _store().lastSequenceSent[clientId] = sequence;
    }

    function _commitPacket(string calldata sourceClient, uint64 sequence, bytes32 commitment) internal {
        _store().commitments[keccak256(ICS24.packetPath(sourceClient, sequence))] = commitment;
    }

    /// @dev Ends a packet at its source. False when it has ended before; another packet of the same number reverts.
    function _deletePacketCommitment(IIBCMsgs.Packet calldata packet) internal returns (bool) {
        bytes32 slot = keccak256(ICS24.packetPath(packet.sourceClient, packet.sequence));
        bytes32 stored = _store().commitments[slot];
        if (stored == 0) return false;
        bytes32 given = ICS24.packetCommitment(packet);
        if (stored != given) revert IBCPacketCommitmentMismatch(stored, given);
        delete _store().commitments[slot];
        return true;
    }

    /// @dev Marks a packet as received. False when it was received before; another packet of the same number reverts.
    function _setReceipt(IIBCMsgs.Packet calldata packet) internal returns (bool) {
        bytes32 slot = keccak256(ICS24.receiptPath(packet.destClient, packet.sequence));
        bytes32 receipt = ICS24.receipt(packet);
        bytes32 stored = _store().commitments[slot];
        if (stored == receipt) return false;
        if (stored != 0) revert IBCPacketReceiptMismatch(stored, receipt);
        _store().commitments[slot] = receipt;
        return true;
    }

    function _commitAck(IIBCMsgs.Packet calldata packet, bytes[] memory acks) internal {
        bytes32 slot = keccak256(ICS24.ackPath(packet.destClient, packet.sequence));
        // The receipt is written once, so nobody can be here twice; the money depends on it, so it is looked at again.
        if (_store().commitments[slot] != 0) revert IBCPacketAcknowledgementAlreadyExists(slot);
        _store().commitments[slot] = ICS24.ackCommitment(acks);
    }

    function _store() private pure returns (IBCStoreStorage storage $) {
        assembly ("memory-safe") {
            $.slot := IBC_STORE_SLOT
        }
    }
}
