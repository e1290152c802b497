// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { AccessControl } from "@openzeppelin/contracts/access/AccessControl.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { IAttestationLightClient } from "./interfaces/IAttestationLightClient.sol";
import { ILightClient } from "./interfaces/ILightClient.sol";

/// @title Attestation light client
/// @notice A client of another chain that believes what m of n fixed attestors signed.
/// @dev The attestors, the threshold and the code never change. A quorum that signs two times for one height freezes
/// the client for good. What can grow: one slot for each height a quorum signed, nothing else.
contract AttestationLightClient is IAttestationLightClient, AccessControl {
    /// @inheritdoc IAttestationLightClient
    bytes32 public constant PROOF_SUBMITTER_ROLE = keccak256("PROOF_SUBMITTER_ROLE");

    /// @notice Most attestors a client can have: each one costs gas in every proof.
    uint256 public constant MAX_ATTESTORS = 64;

    /// @dev Domain separation of the two kinds of signed bytes, as ibc-go's attestations client has it.
    bytes1 private constant TAG_STATE = 0x01;
    bytes1 private constant TAG_PACKETS = 0x02;

    /// @dev `abi.encode(uint64, uint64)`.
    uint256 private constant STATE_BYTES = 64;
    /// @dev `abi.encode` of a packet attestation without entries: offset, height, offset of the list, its length.
    uint256 private constant PACKETS_HEAD_BYTES = 128;
    /// @dev One entry: path and commitment.
    uint256 private constant PACKETS_ENTRY_BYTES = 64;

    ClientState private _clientState;
    /// @dev Position in the attestor list plus one, 0 for everyone else.
    mapping(address attestor => uint256 indexPlusOne) private _attestorIndex;
    mapping(uint64 height => uint64 timestampSeconds) private _timestampAtHeight;

    modifier notFrozen() {
        if (_clientState.isFrozen) revert FrozenClientState();
        _;
    }

    modifier onlyProofSubmitter() {
        if (!hasRole(PROOF_SUBMITTER_ROLE, address(0))) _checkRole(PROOF_SUBMITTER_ROLE);
        _;
    }

    /// @param attestors The attestors, distinct and not zero
    /// @param minRequiredSigs How many of them must sign
    /// @param initialHeight The first trusted height
    /// @param initialTimestampSeconds Unix seconds of its header, from the same source as attested states
    /// @param roleManager Administers the proof submitters and is one; zero lets anyone update and verify
    constructor(
        address[] memory attestors,
        uint8 minRequiredSigs,
        uint64 initialHeight,
        uint64 initialTimestampSeconds,
        address roleManager
    ) {
        if (attestors.length == 0 || attestors.length > MAX_ATTESTORS) {
            revert BadAttestorCount(attestors.length, MAX_ATTESTORS);
        }
        if (minRequiredSigs == 0 || minRequiredSigs > attestors.length) {
            revert BadQuorum(minRequiredSigs, attestors.length);
        }
        if (initialHeight == 0 || initialTimestampSeconds == 0) {
            revert InvalidState(initialHeight, initialTimestampSeconds);
        }
        for (uint256 i = 0; i < attestors.length; ++i) {
            if (attestors[i] == address(0)) revert ZeroAttestor(i);
            if (_attestorIndex[attestors[i]] != 0) revert DuplicateAttestor(attestors[i]);
            _attestorIndex[attestors[i]] = i + 1;
        }
        _clientState = ClientState(attestors, minRequiredSigs, initialHeight, false);
        _timestampAtHeight[initialHeight] = initialTimestampSeconds;
        emit ConsensusStateAdded(initialHeight, initialTimestampSeconds);

        _grantRole(PROOF_SUBMITTER_ROLE, roleManager);
        if (roleManager != address(0)) _grantRole(DEFAULT_ADMIN_ROLE, roleManager);
    }

    /// @inheritdoc ILightClient
    function updateClient(bytes calldata updateMsg) external notFrozen onlyProofSubmitter returns (UpdateResult) {
        StateAttestation memory state = _verifiedState(abi.decode(updateMsg, (AttestationProof)));
        uint64 stored = _timestampAtHeight[state.height];
        if (stored == state.timestamp) return UpdateResult.NoOp;
        if (stored != 0) {
            _freeze(state.height, stored, state.timestamp);
            return UpdateResult.Misbehaviour;
        }
        if (state.height > _clientState.latestHeight) _clientState.latestHeight = state.height;
        _timestampAtHeight[state.height] = state.timestamp;
        emit ConsensusStateAdded(state.height, state.timestamp);
        return UpdateResult.Update;
    }

    /// @inheritdoc ILightClient
    /// @dev The message is `abi.encode(AttestationProof, AttestationProof)`: two signed states of one height with
    /// different times. Anyone may bring it, since the signatures speak for themselves.
    function misbehaviour(bytes calldata misbehaviourMsg) external notFrozen {
        (AttestationProof memory first, AttestationProof memory second) =
            abi.decode(misbehaviourMsg, (AttestationProof, AttestationProof));
        StateAttestation memory a = _verifiedState(first);
        StateAttestation memory b = _verifiedState(second);
        if (a.height != b.height || a.timestamp == b.timestamp) revert NotMisbehaviour(a.height, b.height);
        _freeze(a.height, a.timestamp, b.timestamp);
    }

    /// @inheritdoc ILightClient
    function verifyMembership(MsgVerifyMembership calldata msg_)
        external
        view
        notFrozen
        onlyProofSubmitter
        returns (uint256)
    {
        if (msg_.value.length != 32) revert InvalidValueLength(32, msg_.value.length);
        bytes32 expected = bytes32(msg_.value);
        if (expected == 0) revert ZeroCommitment();
        (bytes32 path, bytes32 attested, uint64 timestampSeconds) =
            _attestedEntry(msg_.proof, msg_.proofHeight.revisionNumber, msg_.proofHeight.revisionHeight, msg_.path);
        if (attested != expected) revert CommitmentMismatch(path, expected, attested);
        return timestampSeconds;
    }

    /// @inheritdoc ILightClient
    function verifyNonMembership(MsgVerifyNonMembership calldata msg_)
        external
        view
        notFrozen
        onlyProofSubmitter
        returns (uint256)
    {
        (bytes32 path, bytes32 attested, uint64 timestampSeconds) =
            _attestedEntry(msg_.proof, msg_.proofHeight.revisionNumber, msg_.proofHeight.revisionHeight, msg_.path);
        if (attested != 0) revert NotNonMember(path, attested);
        return timestampSeconds;
    }

    /// @inheritdoc ILightClient
    function getClientState() external view returns (bytes memory) {
        return abi.encode(_clientState);
    }

    /// @inheritdoc IAttestationLightClient
    function getAttestationSet() external view returns (address[] memory attestorAddresses, uint8 minRequiredSigs) {
        return (_clientState.attestorAddresses, _clientState.minRequiredSigs);
    }

    /// @inheritdoc IAttestationLightClient
    function getConsensusTimestamp(uint64 revisionHeight) external view returns (uint64) {
        return _timestampAtHeight[revisionHeight];
    }

    function _freeze(uint64 height, uint64 storedSeconds, uint64 conflictingSeconds) private {
        _clientState.isFrozen = true;
        emit ClientFrozen(height, storedSeconds, conflictingSeconds);
    }

    /// @dev A state that a quorum signed.
    function _verifiedState(AttestationProof memory proof) private view returns (StateAttestation memory state) {
        _checkSignatures(TAG_STATE, proof);
        if (proof.attestationData.length != STATE_BYTES) {
            revert InvalidAttestationData(proof.attestationData.length);
        }
        state = abi.decode(proof.attestationData, (StateAttestation));
        if (state.height == 0 || state.timestamp == 0) revert InvalidState(state.height, state.timestamp);
    }

    /// @dev What a quorum attested for the path at exactly the proof height, for which a state must have been accepted.
    function _attestedEntry(
        bytes calldata proofBytes,
        uint64 revisionNumber,
        uint64 height,
        bytes[] calldata path
    )
        private
        view
        returns (bytes32 pathHash, bytes32 commitment, uint64 timestampSeconds)
    {
        if (path.length != 1) revert InvalidPathLength(1, path.length);
        if (revisionNumber != 0) revert RevisionNotZero(revisionNumber);
        timestampSeconds = _timestampAtHeight[height];
        if (timestampSeconds == 0) revert ConsensusTimestampNotFound(height);

        AttestationProof memory proof = abi.decode(proofBytes, (AttestationProof));
        _checkSignatures(TAG_PACKETS, proof);
        PacketAttestation memory attested = _decodePackets(proof.attestationData);
        if (attested.height != height) revert HeightMismatch(height, attested.height);

        pathHash = keccak256(path[0]);
        commitment = _lookup(attested.packets, pathHash);
    }

    /// @dev Decodes only the one canonical encoding: the signed bytes then have a single meaning.
    function _decodePackets(bytes memory data) private pure returns (PacketAttestation memory attested) {
        // What is read behind the end of short data cannot matter: the length is compared below.
        uint256 outerOffset;
        uint256 listOffset;
        uint256 count;
        assembly ("memory-safe") {
            outerOffset := mload(add(data, 0x20))
            listOffset := mload(add(data, 0x60))
            count := mload(add(data, 0x80))
        }
        // The first bound keeps the product below from overflowing.
        bool canonical = outerOffset == 0x20 && listOffset == 0x40 && count <= data.length
            && data.length == PACKETS_HEAD_BYTES + count * PACKETS_ENTRY_BYTES;
        if (!canonical) revert InvalidAttestationData(data.length);
        return abi.decode(data, (PacketAttestation));
    }

    /// @dev The one entry of the path. Two entries for one path contradict each other or waste gas: refused.
    function _lookup(PacketCompact[] memory packets, bytes32 pathHash) private pure returns (bytes32 commitment) {
        bool found;
        for (uint256 i = 0; i < packets.length; ++i) {
            if (packets[i].path != pathHash) continue;
            if (found) revert DuplicatePath(pathHash);
            found = true;
            commitment = packets[i].commitment;
        }
        if (!found) revert NotMember(pathHash);
    }

    /// @dev Every signature must be good: one bad, unknown or repeated signer makes the whole proof invalid.
    function _checkSignatures(bytes1 tag, AttestationProof memory proof) private view {
        uint256 count = proof.signatures.length;
        uint256 attestors = _clientState.attestorAddresses.length;
        if (count < _clientState.minRequiredSigs) revert ThresholdNotMet(count, _clientState.minRequiredSigs);
        if (count > attestors) revert TooManySignatures(count, attestors);

        bytes32 digest = sha256(abi.encodePacked(tag, sha256(proof.attestationData)));
        uint256 seen;
        for (uint256 i = 0; i < count; ++i) {
            address signer = _recover(digest, proof.signatures[i], i);
            uint256 index = _attestorIndex[signer];
            if (index == 0) revert UnknownSigner(signer);
            uint256 bit = 1 << (index - 1);
            if (seen & bit != 0) revert DuplicateSigner(signer);
            seen |= bit;
        }
    }

    /// @dev Takes v as 27/28 or 0/1 and refuses the high half of s, so that a signature has no twin.
    function _recover(bytes32 digest, bytes memory signature, uint256 index) private pure returns (address signer) {
        if (signature.length != 65) revert InvalidSignatureLength(index, signature.length);
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        // Any other v recovers to nothing.
        if (v < 2) v += 27;
        ECDSA.RecoverError problem;
        (signer, problem,) = ECDSA.tryRecover(digest, v, r, s);
        if (problem != ECDSA.RecoverError.NoError) revert SignatureInvalid(index);
    }
}
