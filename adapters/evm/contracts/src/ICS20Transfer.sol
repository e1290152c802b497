// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuard } from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import { Strings } from "@openzeppelin/contracts/utils/Strings.sol";
import { Escrow } from "./Escrow.sol";
import { IBCERC20 } from "./IBCERC20.sol";
import { IIBCApp } from "./interfaces/IIBCApp.sol";
import { IIBCMsgs } from "./interfaces/IIBCMsgs.sol";
import { IICS20Transfer } from "./interfaces/IICS20Transfer.sol";
import { IICS26Router } from "./interfaces/IICS26Router.sol";
import { ICS20Lib } from "./libs/ICS20Lib.sol";
import { ICS24 } from "./libs/ICS24.sol";

/// @title ICS-20 transfer
/// @notice Sends ERC-20 tokens to other chains and stands vouchers for theirs.
/// @dev Nobody has a role here and the code never changes: what moves tokens is a packet the router proved, or the
/// owner. For each client: balance of its escrow = vouchers on the other chain + transfers in flight. What can grow:
/// one escrow for each client, one voucher contract for each denom that arrived, of bounded size.
contract ICS20Transfer is IICS20Transfer, IIBCApp, ReentrancyGuard {
    using SafeERC20 for IERC20;

    IICS26Router private immutable _ics26;

    mapping(string clientId => Escrow escrow) private _escrows;
    mapping(string denom => IBCERC20 voucher) private _vouchers;
    mapping(address voucher => string denom) private _voucherDenoms;

    modifier onlyRouter() {
        if (msg.sender != address(_ics26)) revert ICS20Unauthorized(msg.sender);
        _;
    }

    /// @param router The router, for good
    constructor(IICS26Router router) {
        _ics26 = router;
    }

    /// @inheritdoc IICS20Transfer
    function sendTransfer(SendTransferMsg calldata msg_) external nonReentrant returns (uint64 sequence) {
        _checkSend(msg_);
        string memory denom = _voucherDenoms[msg_.denom];
        if (bytes(denom).length == 0) denom = Strings.toHexString(msg_.denom);

        if (_isHomeward(denom, msg_.sourceClient)) {
            IBCERC20(msg_.denom).burn(msg.sender, msg_.amount);
        } else {
            _lock(IERC20(msg_.denom), address(_escrowOf(msg_.sourceClient)), msg_.amount);
        }
        bytes memory data = abi.encode(
            FungibleTokenPacketData({
                denom: denom,
                sender: Strings.toHexString(msg.sender),
                receiver: msg_.receiver,
                amount: msg_.amount,
                memo: msg_.memo
            })
        );
        sequence = _ics26.sendPacket(
            IIBCMsgs.MsgSendPacket({
                sourceClient: msg_.sourceClient,
                timeoutTimestamp: msg_.timeoutTimestamp,
                payload: IIBCMsgs.Payload({
                    sourcePort: ICS20Lib.PORT,
                    destPort: ICS20Lib.PORT,
                    version: ICS20Lib.VERSION,
                    encoding: ICS20Lib.ENCODING,
                    value: data
                })
            })
        );
        emit ICS20Sent(msg_.sourceClient, sequence, msg_.denom, msg.sender, msg_.amount);
    }

    /// @inheritdoc IIBCApp
    function onRecvPacket(OnRecvPacketCallback calldata msg_) external onlyRouter returns (bytes memory) {
        // A token that calls back could bring a stranger's packet here in the middle of a transfer. A refusal with data
        // would be answered with an error and send that stranger's money back, so this one has no data: the receive
        // fails as a whole and can be tried again.
        if (_reentrancyGuardEntered()) {
            assembly ("memory-safe") {
                revert(0, 0)
            }
        }
        return _receive(msg_);
    }

    /// @inheritdoc IIBCApp
    function onAcknowledgementPacket(OnAcknowledgementPacketCallback calldata msg_) external onlyRouter nonReentrant {
        if (keccak256(msg_.acknowledgement) == keccak256(ICS20Lib.SUCCESS_ACK)) return;
        // Neither paying back nor keeping is safe on an answer that means nothing here.
        if (!ICS24.isUniversalErrorAck(msg_.acknowledgement)) {
            revert ICS20UnexpectedAcknowledgement(msg_.acknowledgement);
        }
        _refund(msg_.sourceClient, msg_.sequence, msg_.payload.value);
    }

    /// @inheritdoc IIBCApp
    function onTimeoutPacket(OnTimeoutPacketCallback calldata msg_) external onlyRouter nonReentrant {
        _refund(msg_.sourceClient, msg_.sequence, msg_.payload.value);
    }

    /// @inheritdoc IICS20Transfer
    function ics26() external view returns (address) {
        return address(_ics26);
    }

    /// @inheritdoc IICS20Transfer
    function getEscrow(string calldata clientId) external view returns (address) {
        return address(_escrows[clientId]);
    }

    /// @inheritdoc IICS20Transfer
    function ibcERC20Contract(string calldata denom) external view returns (address) {
        return address(_vouchers[denom]);
    }

    /// @inheritdoc IICS20Transfer
    function ibcERC20Denom(address token) external view returns (string memory) {
        return _voucherDenoms[token];
    }

    /// @dev Pays out what arrived. Every revert here has data and sends the tokens back.
    function _receive(OnRecvPacketCallback calldata msg_) private nonReentrant returns (bytes memory) {
        _checkPayload(msg_.payload);
        FungibleTokenPacketData memory data = ICS20Lib.decode(msg_.payload.value);
        if (data.amount == 0) revert ICS20InvalidAmount(0);
        _checkLength("denom", data.denom, 1, ICS20Lib.MAX_DENOM_BYTES);
        (bool ok, address receiver) = ICS20Lib.parseAddress(data.receiver);
        if (!ok || _cannotOwn(receiver, msg_.destinationClient)) revert ICS20InvalidReceiver(data.receiver);

        bytes memory denom = bytes(data.denom);
        bytes memory prefix = ICS20Lib.denomPrefix(msg_.sourceClient);
        address token;
        if (ICS20Lib.hasPrefix(denom, prefix)) {
            token = _tokenOf(ICS20Lib.dropBytes(denom, prefix.length));
            _escrowOf(msg_.destinationClient).send(token, receiver, data.amount);
        } else {
            IBCERC20 voucher = _voucherOf(
                string(abi.encodePacked(ICS20Lib.denomPrefix(msg_.destinationClient), denom)), data.denom
            );
            token = address(voucher);
            voucher.mint(receiver, data.amount);
        }
        emit ICS20Received(msg_.destinationClient, msg_.sequence, token, receiver, data.amount);
        return ICS20Lib.SUCCESS_ACK;
    }

    /// @dev Undoes a send, from the data that this contract wrote into the packet.
    function _refund(string calldata clientId, uint64 sequence, bytes calldata value) private {
        FungibleTokenPacketData memory data = ICS20Lib.decode(value);
        (bool ok, address sender) = ICS20Lib.parseLowercase(data.sender);
        if (!ok) revert ICS20InvalidReceiver(data.sender);
        address token = _tokenOf(data.denom);
        if (_isHomeward(data.denom, clientId)) {
            IBCERC20(token).mint(sender, data.amount);
        } else {
            _escrowOf(clientId).send(token, sender, data.amount);
        }
        emit ICS20Refunded(clientId, sequence, token, sender, data.amount);
    }

    /// @dev Takes tokens into an escrow and makes sure that all of them got there.
    function _lock(IERC20 token, address escrow, uint256 amount) private {
        uint256 expected = token.balanceOf(escrow) + amount;
        token.safeTransferFrom(msg.sender, escrow, amount);
        uint256 actual = token.balanceOf(escrow);
        if (actual != expected) revert ICS20UnexpectedEscrowBalance(expected, actual);
    }

    function _escrowOf(string calldata clientId) private returns (Escrow escrow) {
        escrow = _escrows[clientId];
        if (address(escrow) == address(0)) {
            escrow = new Escrow();
            _escrows[clientId] = escrow;
            emit EscrowCreated(clientId, address(escrow));
        }
    }

    function _voucherOf(string memory fullDenom, string memory denom) private returns (IBCERC20 voucher) {
        voucher = _vouchers[fullDenom];
        if (address(voucher) == address(0)) {
            voucher = new IBCERC20(fullDenom, ICS20Lib.baseDenom(denom));
            _vouchers[fullDenom] = voucher;
            _voucherDenoms[address(voucher)] = fullDenom;
            emit IBCERC20ContractCreated(address(voucher), fullDenom);
        }
    }

    /// @dev The contract of a denom of this chain: a voucher by its full denom, any other token by its address.
    function _tokenOf(string memory denom) private view returns (address) {
        address voucher = address(_vouchers[denom]);
        if (voucher != address(0)) return voucher;
        (bool ok, address token) = ICS20Lib.parseLowercase(denom);
        // A voucher has one name only. Under its address it never left this chain.
        if (!ok || bytes(_voucherDenoms[token]).length != 0) revert ICS20DenomNotFound(denom);
        return token;
    }

    /// @dev Tokens sent to these would be lost, or counted twice.
    function _cannotOwn(address receiver, string calldata clientId) private view returns (bool) {
        return receiver == address(0) || receiver == address(this) || receiver == address(_ics26)
            || receiver == address(_escrows[clientId]);
    }

    /// @dev Whether a token came from the chain behind the client, so that it is burned on its way back.
    function _isHomeward(string memory denom, string calldata clientId) private pure returns (bool) {
        return ICS20Lib.hasPrefix(bytes(denom), ICS20Lib.denomPrefix(clientId));
    }

    function _checkSend(SendTransferMsg calldata msg_) private view {
        if (msg_.amount == 0) revert ICS20InvalidAmount(0);
        if (msg_.denom.code.length == 0) revert ICS20InvalidToken(msg_.denom);
        if (!Strings.equal(msg_.destPort, ICS20Lib.PORT)) revert ICS20InvalidPort(ICS20Lib.PORT, msg_.destPort);
        _checkLength("receiver", msg_.receiver, 1, ICS20Lib.MAX_RECEIVER_BYTES);
        _checkLength("memo", msg_.memo, 0, ICS20Lib.MAX_MEMO_BYTES);
    }

    function _checkPayload(IIBCMsgs.Payload calldata payload) private pure {
        if (!Strings.equal(payload.sourcePort, ICS20Lib.PORT)) {
            revert ICS20InvalidPort(ICS20Lib.PORT, payload.sourcePort);
        }
        if (!Strings.equal(payload.destPort, ICS20Lib.PORT)) revert ICS20InvalidPort(ICS20Lib.PORT, payload.destPort);
        if (!Strings.equal(payload.version, ICS20Lib.VERSION)) {
            revert ICS20UnexpectedVersion(ICS20Lib.VERSION, payload.version);
        }
        if (!Strings.equal(payload.encoding, ICS20Lib.ENCODING)) {
            revert ICS20UnexpectedEncoding(ICS20Lib.ENCODING, payload.encoding);
        }
    }

    function _checkLength(string memory field, string memory text, uint256 minimum, uint256 maximum) private pure {
        uint256 size = bytes(text).length;
        if (size < minimum || size > maximum) revert ICS20FieldLength(field, minimum, maximum, size);
    }
}
