// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ILightClient } from "./ILightClient.sol";

/// @title Attestation light client
/// @notice Types, views, events and errors of the m-of-n attestation client.
interface IAttestationLightClient is ILightClient {
    /// @notice What `getClientState` returns, ABI-encoded.
    struct ClientState {
        address[] attestorAddresses;
        uint8 minRequiredSigs;
        uint64 latestHeight;
        bool isFrozen;
    }

    /// @notice The envelope of every update and proof.
    /// @param attestationData The bytes the attestors signed
    /// @param signatures 65 bytes r, s, v each, of distinct attestors
    struct AttestationProof {
        bytes attestationData;
        bytes[] signatures;
    }

    /// @notice An attested state: `abi.encode(height, timestamp)`.
    /// @param timestamp Unix seconds of the header
    struct StateAttestation {
        uint64 height;
        uint64 timestamp;
    }

    /// @notice One attested entry. A zero commitment means that nothing is stored.
    /// @param path keccak256 of the ICS-24 path
    struct PacketCompact {
        bytes32 path;
        bytes32 commitment;
    }

    /// @notice Attested entries of one height.
    struct PacketAttestation {
        uint64 height;
        PacketCompact[] packets;
    }

    /// @notice The role that may update and verify, unless the zero address holds it, which opens it to everyone.
    /// @return The role identifier
    function PROOF_SUBMITTER_ROLE() external view returns (bytes32);

    /// @notice The attestors and how many of them must sign.
    /// @return attestorAddresses The attestors
    /// @return minRequiredSigs The threshold
    function getAttestationSet() external view returns (address[] memory attestorAddresses, uint8 minRequiredSigs);

    /// @notice The accepted time of a height.
    /// @param revisionHeight The height
    /// @return Unix seconds, 0 if no state was accepted for the height
    function getConsensusTimestamp(uint64 revisionHeight) external view returns (uint64);

    /// @notice A state was accepted.
    /// @param height The attested height
    /// @param timestampSeconds Unix seconds of its header
    event ConsensusStateAdded(uint64 indexed height, uint64 timestampSeconds);

    /// @notice A quorum signed two times for one height. The client is frozen for good.
    /// @param height The attested height
    /// @param storedSeconds The time that was accepted first
    /// @param conflictingSeconds The other signed time
    event ClientFrozen(uint64 indexed height, uint64 storedSeconds, uint64 conflictingSeconds);

    /// @notice The attestor list is empty or longer than the limit.
    error BadAttestorCount(uint256 count, uint256 maximum);
    /// @notice An attestor is the zero address.
    error ZeroAttestor(uint256 index);
    /// @notice An attestor is listed twice.
    error DuplicateAttestor(address attestor);
    /// @notice The threshold is zero or above the number of attestors.
    error BadQuorum(uint8 minRequiredSigs, uint256 attestors);
    /// @notice A height or a time is zero.
    error InvalidState(uint64 height, uint64 timestampSeconds);
    /// @notice The client is frozen: nothing is accepted or proven any more.
    error FrozenClientState();
    /// @notice The attested bytes are not the canonical encoding.
    error InvalidAttestationData(uint256 length);
    /// @notice Fewer signatures than the threshold.
    error ThresholdNotMet(uint256 provided, uint256 required);
    /// @notice More signatures than there are attestors.
    error TooManySignatures(uint256 provided, uint256 attestors);
    /// @notice A signature is not 65 bytes long.
    error InvalidSignatureLength(uint256 index, uint256 length);
    /// @notice A signature has a high s, an unknown v, or recovers to nothing.
    error SignatureInvalid(uint256 index);
    /// @notice The signer is not an attestor.
    error UnknownSigner(address signer);
    /// @notice The signer signed twice.
    error DuplicateSigner(address signer);
    /// @notice Attested chains have revision 0.
    error RevisionNotZero(uint64 revisionNumber);
    /// @notice No state was accepted for the proof height.
    error ConsensusTimestampNotFound(uint64 height);
    /// @notice The attestation is of another height.
    error HeightMismatch(uint64 expected, uint64 attested);
    /// @notice The key path must have exactly one element.
    error InvalidPathLength(uint256 expected, uint256 actual);
    /// @notice A commitment is 32 bytes long.
    error InvalidValueLength(uint256 expected, uint256 actual);
    /// @notice Zero stands for absence and is never a member.
    error ZeroCommitment();
    /// @notice The path is not among the attested entries.
    error NotMember(bytes32 path);
    /// @notice The path is attested with another commitment.
    error CommitmentMismatch(bytes32 path, bytes32 expected, bytes32 attested);
    /// @notice The path is attested with a commitment, so it is not absent.
    error NotNonMember(bytes32 path, bytes32 attested);
    /// @notice The path is attested twice.
    error DuplicatePath(bytes32 path);
    /// @notice The two states do not contradict each other.
    error NotMisbehaviour(uint64 firstHeight, uint64 secondHeight);
}
