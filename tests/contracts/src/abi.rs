//! The surface of the contracts, declared by hand.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::too_many_arguments,
    clippy::pub_underscore_fields,
    reason = "generated from the declarations below, which mirror the documented Solidity"
)]

use alloy_sol_types::sol;

sol! {
    #![sol(all_derives)]

    struct Height { uint64 revisionNumber; uint64 revisionHeight; }
    struct Payload { string sourcePort; string destPort; string version; string encoding; bytes value; }
    struct Packet {
        uint64 sequence;
        string sourceClient;
        string destClient;
        uint64 timeoutTimestamp;
        Payload[] payloads;
    }
    struct MsgSendPacket { string sourceClient; uint64 timeoutTimestamp; Payload payload; }
    struct MsgRecvPacket { Packet packet; bytes proofCommitment; Height proofHeight; }
    struct MsgAckPacket { Packet packet; bytes acknowledgement; bytes proofAcked; Height proofHeight; }
    struct MsgTimeoutPacket { Packet packet; bytes proofTimeout; Height proofHeight; }
    struct CounterpartyInfo { string clientId; bytes[] merklePrefix; }

    interface Router {
        function sendPacket(MsgSendPacket m) external returns (uint64);
        function recvPacket(MsgRecvPacket m) external;
        function ackPacket(MsgAckPacket m) external;
        function timeoutPacket(MsgTimeoutPacket m) external;
        function multicall(bytes[] data) external returns (bytes[]);
        function addIBCApp(string portId, address app) external;
        function getIBCApp(string portId) external view returns (address);
        function getCommitment(bytes32 hashedPath) external view returns (bytes32);
        function getLastSequenceSent(string clientId) external view returns (uint64);
        function pause() external;
        function unpause() external;
        function paused() external view returns (bool);
        function setRelayerListEnabled(bool enabled) external;
        function relayerListEnabled() external view returns (bool);
        function addClient(CounterpartyInfo counterparty, address client) external returns (string);
        function migrateClient(string clientId, CounterpartyInfo counterparty, address client) external;
        function updateClient(string clientId, bytes updateMsg) external returns (uint8);
        function submitMisbehaviour(string clientId, bytes misbehaviourMsg) external;
        function getClient(string clientId) external view returns (address);
        function getCounterparty(string clientId) external view returns (CounterpartyInfo);
        function getNextClientSeq() external view returns (uint256);
        function RELAYER_ROLE() external view returns (bytes32);
        function PAUSER_ROLE() external view returns (bytes32);
        function CLIENT_MIGRATOR_ROLE() external view returns (bytes32);
        function DEFAULT_ADMIN_ROLE() external view returns (bytes32);
        function grantRole(bytes32 role, address account) external;
        function revokeRole(bytes32 role, address account) external;
        function hasRole(bytes32 role, address account) external view returns (bool);

        event SendPacket(string indexed clientId, uint256 indexed sequence, Packet packet);
        event WriteAcknowledgement(
            string indexed clientId, uint256 indexed sequence, Packet packet, bytes[] acknowledgements);
        event AckPacket(string indexed clientId, uint256 indexed sequence, Packet packet, bytes acknowledgement);
        event TimeoutPacket(string indexed clientId, uint256 indexed sequence, Packet packet);
        event Noop();
        event IBCAppRecvPacketCallbackError(bytes reason);
        event IBCAppAdded(string portId, address app);
        event RelayerListEnabled(bool enabled);
        event ICS02ClientAdded(string clientId, CounterpartyInfo counterpartyInfo, address client);
        event ICS02ClientMigrated(string clientId, CounterpartyInfo counterpartyInfo, address client);
        event ICS02ClientUpdated(string clientId, uint8 result);
        event ICS02MisbehaviourSubmitted(string clientId);

        error IBCClientNotFound(string clientId);
        error IBCInvalidClientId(string clientId);
        error IBCInvalidClient(address client);
        error IBCInvalidMerklePrefix(uint256 elements, uint256 maximumElements, uint256 maximumElementBytes);
        error IBCInvalidCounterparty(string expected, string actual);
        error IBCPortAlreadyExists(string portId);
        error IBCInvalidPortIdentifier(string portId);
        error IBCInvalidApp(address app);
        error IBCAppNotFound(string portId);
        error IBCUnauthorizedSender(address caller);
        error IBCUnauthorizedRelayer(address caller);
        error IBCInvalidTimeoutTimestamp(uint256 timeoutTimestamp, uint256 comparedTimestamp);
        error IBCInvalidTimeoutDuration(uint256 maximumSeconds, uint256 actualSeconds);
        error IBCInvalidPayloadCount(uint256 expected, uint256 actual);
        error IBCEmptyPayloadField(string field);
        error IBCPayloadTooLarge(uint256 maximumBytes, uint256 actualBytes);
        error IBCAsyncAcknowledgementNotSupported();
        error IBCErrorUniversalAcknowledgement();
        error IBCFailedCallback();
        error IBCPacketCommitmentMismatch(bytes32 stored, bytes32 given);
        error IBCPacketReceiptMismatch(bytes32 stored, bytes32 given);
        error IBCPacketAcknowledgementAlreadyExists(bytes32 hashedPath);
        error AccessControlUnauthorizedAccount(address account, bytes32 neededRole);
        error EnforcedPause();
        error ReentrancyGuardReentrantCall();
    }

    struct AttestationProof { bytes attestationData; bytes[] signatures; }
    struct StateAttestation { uint64 height; uint64 timestamp; }
    struct PacketCompact { bytes32 path; bytes32 commitment; }
    struct PacketAttestation { uint64 height; PacketCompact[] packets; }
    struct ClientState { address[] attestorAddresses; uint8 minRequiredSigs; uint64 latestHeight; bool isFrozen; }
    struct MsgVerifyMembership { bytes proof; Height proofHeight; bytes[] path; bytes value; }
    struct MsgVerifyNonMembership { bytes proof; Height proofHeight; bytes[] path; }

    interface LightClient {
        constructor(address[] attestors, uint8 minRequiredSigs, uint64 initialHeight, uint64 initialTimestampSeconds,
            address roleManager);
        function updateClient(bytes updateMsg) external returns (uint8);
        function verifyMembership(MsgVerifyMembership m) external returns (uint256);
        function verifyNonMembership(MsgVerifyNonMembership m) external returns (uint256);
        function misbehaviour(bytes misbehaviourMsg) external;
        function getClientState() external view returns (bytes);
        function getAttestationSet() external view returns (address[] attestorAddresses, uint8 minRequiredSigs);
        function getConsensusTimestamp(uint64 revisionHeight) external view returns (uint64);
        function PROOF_SUBMITTER_ROLE() external view returns (bytes32);
        function grantRole(bytes32 role, address account) external;

        event ConsensusStateAdded(uint64 indexed height, uint64 timestampSeconds);
        event ClientFrozen(uint64 indexed height, uint64 storedSeconds, uint64 conflictingSeconds);

        error BadAttestorCount(uint256 count, uint256 maximum);
        error ZeroAttestor(uint256 index);
        error DuplicateAttestor(address attestor);
        error BadQuorum(uint8 minRequiredSigs, uint256 attestors);
        error InvalidState(uint64 height, uint64 timestampSeconds);
        error FrozenClientState();
        error InvalidAttestationData(uint256 length);
        error ThresholdNotMet(uint256 provided, uint256 required);
        error TooManySignatures(uint256 provided, uint256 attestors);
        error InvalidSignatureLength(uint256 index, uint256 length);
        error SignatureInvalid(uint256 index);
        error UnknownSigner(address signer);
        error DuplicateSigner(address signer);
        error RevisionNotZero(uint64 revisionNumber);
        error ConsensusTimestampNotFound(uint64 height);
        error HeightMismatch(uint64 expected, uint64 attested);
        error InvalidPathLength(uint256 expected, uint256 actual);
        error InvalidValueLength(uint256 expected, uint256 actual);
        error ZeroCommitment();
        error NotMember(bytes32 path);
        error CommitmentMismatch(bytes32 path, bytes32 expected, bytes32 attested);
        error NotNonMember(bytes32 path, bytes32 attested);
        error DuplicatePath(bytes32 path);
        error NotMisbehaviour(uint64 firstHeight, uint64 secondHeight);
        error AccessControlUnauthorizedAccount(address account, bytes32 neededRole);
    }

    struct FungibleTokenPacketData { string denom; string sender; string receiver; uint256 amount; string memo; }
    struct SendTransferMsg {
        address denom;
        uint256 amount;
        string receiver;
        string sourceClient;
        string destPort;
        uint64 timeoutTimestamp;
        string memo;
    }
    struct OnRecvPacketCallback {
        string sourceClient; string destinationClient; uint64 sequence; Payload payload; address relayer;
    }
    struct OnAcknowledgementPacketCallback {
        string sourceClient; string destinationClient; uint64 sequence; Payload payload; bytes acknowledgement;
        address relayer;
    }
    struct OnTimeoutPacketCallback {
        string sourceClient; string destinationClient; uint64 sequence; Payload payload; address relayer;
    }

    interface Transfer {
        constructor(address router);
        function sendTransfer(SendTransferMsg m) external returns (uint64);
        function onRecvPacket(OnRecvPacketCallback m) external returns (bytes);
        function onAcknowledgementPacket(OnAcknowledgementPacketCallback m) external;
        function onTimeoutPacket(OnTimeoutPacketCallback m) external;
        function ics26() external view returns (address);
        function getEscrow(string clientId) external view returns (address);
        function ibcERC20Contract(string denom) external view returns (address);
        function ibcERC20Denom(address token) external view returns (string);

        event EscrowCreated(string clientId, address escrow);
        event IBCERC20ContractCreated(address indexed contractAddress, string fullDenomPath);
        event ICS20Sent(string clientId, uint64 indexed sequence, address indexed token, address indexed sender,
            uint256 amount);
        event ICS20Received(string clientId, uint64 indexed sequence, address indexed token, address indexed receiver,
            uint256 amount);
        event ICS20Refunded(string clientId, uint64 indexed sequence, address indexed token, address indexed sender,
            uint256 amount);

        error ICS20Unauthorized(address caller);
        error ICS20InvalidAmount(uint256 amount);
        error ICS20InvalidToken(address token);
        error ICS20InvalidReceiver(string receiver);
        error ICS20FieldLength(string field, uint256 minimumBytes, uint256 maximumBytes, uint256 actualBytes);
        error ICS20UnexpectedEscrowBalance(uint256 expected, uint256 actual);
        error ICS20InvalidPort(string expected, string actual);
        error ICS20UnexpectedVersion(string expected, string actual);
        error ICS20UnexpectedEncoding(string expected, string actual);
        error ICS20InvalidPacketData(uint256 length);
        error ICS20DenomNotFound(string denom);
        error ICS20UnexpectedAcknowledgement(bytes acknowledgement);
    }

    interface Token {
        constructor(string name, string symbol);
        function mint(address to, uint256 amount) external;
        function burn(address from, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function transfer(address to, uint256 amount) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
        function totalSupply() external view returns (uint256);
        function name() external view returns (string);
        function symbol() external view returns (string);
        function decimals() external view returns (uint8);
        function fullDenomPath() external view returns (string);
        function send(address token, address to, uint256 amount) external;

        error IBCERC20Unauthorized(address caller);
        error EscrowUnauthorized(address caller);
        error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
        error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);
        error Panic(uint256 code);
    }

    interface Fixture {
        function setMode(uint8 mode) external;
        function send(address router, MsgSendPacket m) external returns (uint64);
        function received() external view returns (uint256);
        function acknowledged() external view returns (uint256);
        function timedOut() external view returns (uint256);
        function lastAcknowledgement() external view returns (bytes);
        function arm(address target, bytes data) external;
        function fired() external view returns (bool);
        function succeeded() external view returns (bool);
        function answer() external view returns (bytes);
        function setFee(uint256 fee) external;
        function refuse(address account) external;
        function path() external view returns (bytes[]);
        function value() external view returns (bytes);
        error MockRefused(uint64 sequence);
        error Refused(address account);
    }
}
