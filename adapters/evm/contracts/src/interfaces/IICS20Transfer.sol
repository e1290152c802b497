// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title ICS-20 transfer
/// @notice Types, views, events and errors of the token transfer application.
interface IICS20Transfer {
    /// @notice What one chain tells the other, ABI-encoded as one tuple.
    /// @param denom The token as the sending chain knows it
    /// @param sender Who is refunded
    /// @param receiver Who is paid
    /// @param amount Base units
    /// @param memo Free text, or a payment reference
    struct FungibleTokenPacketData {
        string denom;
        string sender;
        string receiver;
        uint256 amount;
        string memo;
    }

    /// @notice Arguments of `sendTransfer`.
    /// @param denom The ERC-20 or voucher contract
    /// @param amount Base units
    /// @param receiver An account of the other chain, in its own notation
    /// @param sourceClient The client to send over
    /// @param destPort Always `transfer`
    /// @param timeoutTimestamp Unix seconds, at most 24 hours ahead
    /// @param memo Free text, or a payment reference
    struct SendTransferMsg {
        address denom;
        uint256 amount;
        string receiver;
        string sourceClient;
        string destPort;
        uint64 timeoutTimestamp;
        string memo;
    }

    /// @notice Sends the caller's tokens: an ERC-20 goes into escrow (allowance to this contract needed), a voucher that
    /// goes home is burned.
    /// @param msg_ The transfer
    /// @return sequence The sequence of its packet
    function sendTransfer(SendTransferMsg calldata msg_) external returns (uint64 sequence);

    /// @notice The router.
    function ics26() external view returns (address);

    /// @notice The escrow of a client.
    /// @param clientId The client
    /// @return The escrow contract, zero before the first transfer
    function getEscrow(string calldata clientId) external view returns (address);

    /// @notice The voucher contract of a denom.
    /// @param denom The full denom, `transfer/{client}/{denom of the other chain}`
    /// @return The voucher contract, zero before the first transfer
    function ibcERC20Contract(string calldata denom) external view returns (address);

    /// @notice The denom of a voucher contract.
    /// @param token The voucher contract
    /// @return The full denom, empty for any other contract
    function ibcERC20Denom(address token) external view returns (string memory);

    /// @notice A client got its escrow.
    event EscrowCreated(string clientId, address escrow);
    /// @notice A denom got its voucher contract.
    event IBCERC20ContractCreated(address indexed contractAddress, string fullDenomPath);
    /// @notice Tokens left this chain.
    event ICS20Sent(
        string clientId, uint64 indexed sequence, address indexed token, address indexed sender, uint256 amount
    );
    /// @notice Tokens arrived and were paid out.
    event ICS20Received(
        string clientId, uint64 indexed sequence, address indexed token, address indexed receiver, uint256 amount
    );
    /// @notice A transfer failed or timed out and was paid back.
    event ICS20Refunded(
        string clientId, uint64 indexed sequence, address indexed token, address indexed sender, uint256 amount
    );

    /// @notice Only the router may call.
    error ICS20Unauthorized(address caller);
    /// @notice The amount is zero.
    error ICS20InvalidAmount(uint256 amount);
    /// @notice The token has no code.
    error ICS20InvalidToken(address token);
    /// @notice The receiver is not an address, is spelled wrongly, or cannot own tokens.
    error ICS20InvalidReceiver(string receiver);
    /// @notice A field is empty that must not be, or too long.
    error ICS20FieldLength(string field, uint256 minimumBytes, uint256 maximumBytes, uint256 actualBytes);
    /// @notice The escrow got another amount than was sent: a token that takes a fee cannot be transferred.
    error ICS20UnexpectedEscrowBalance(uint256 expected, uint256 actual);
    /// @notice The payload is of another port.
    error ICS20InvalidPort(string expected, string actual);
    /// @notice The payload is of another version.
    error ICS20UnexpectedVersion(string expected, string actual);
    /// @notice The payload is encoded in another way.
    error ICS20UnexpectedEncoding(string expected, string actual);
    /// @notice The payload is not the canonical encoding of a transfer.
    error ICS20InvalidPacketData(uint256 length);
    /// @notice There is no such token here.
    error ICS20DenomNotFound(string denom);
    /// @notice The acknowledgement is neither success nor the universal error; nobody can say who owns the tokens.
    error ICS20UnexpectedAcknowledgement(bytes acknowledgement);
}
