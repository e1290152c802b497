// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Strings } from "@openzeppelin/contracts/utils/Strings.sol";
import { IICS20Transfer } from "../interfaces/IICS20Transfer.sol";

/// @title ICS-20 encodings
/// @notice Packet data, denoms and addresses, each with exactly one accepted spelling.
library ICS20Lib {
    string internal constant PORT = "transfer";
    string internal constant VERSION = "ics20-1";
    string internal constant ENCODING = "application/x-solidity-abi";
    bytes internal constant SUCCESS_ACK = bytes('{"result":"AQ=="}');

    /// @dev ibc-go's bounds of receiver and memo; a denom longer than this is not worth a voucher's storage.
    uint256 internal constant MAX_RECEIVER_BYTES = 2048;
    uint256 internal constant MAX_MEMO_BYTES = 32_768;
    uint256 internal constant MAX_DENOM_BYTES = 1024;

    /// @dev Five words of the tuple: four offsets and the amount.
    uint256 private constant TUPLE_HEAD_BYTES = 160;
    /// @dev The offset of the tuple, its head, and four strings of length zero.
    uint256 private constant MIN_DATA_BYTES = 32 + TUPLE_HEAD_BYTES + 4 * 32;

    /// @notice Decodes packet data, if it is the canonical encoding.
    /// @dev `abi.decode` reverts without data on a bad offset, which the router would take for a lack of gas, so the
    /// offsets are looked at first.
    function decode(bytes calldata value) internal pure returns (IICS20Transfer.FungibleTokenPacketData memory data) {
        bool readable = value.length >= MIN_DATA_BYTES && uint256(bytes32(value[:32])) == 32
            && _holdsString(value[32:], 0) && _holdsString(value[32:], 32) && _holdsString(value[32:], 64)
            && _holdsString(value[32:], 128);
        if (!readable) revert IICS20Transfer.ICS20InvalidPacketData(value.length);
        data = abi.decode(value, (IICS20Transfer.FungibleTokenPacketData));
        if (keccak256(abi.encode(data)) != keccak256(value)) {
            revert IICS20Transfer.ICS20InvalidPacketData(value.length);
        }
    }

    /// @notice `transfer/{clientId}/`, which a token carries for each chain it came through.
    function denomPrefix(string memory clientId) internal pure returns (bytes memory) {
        return abi.encodePacked(PORT, "/", clientId, "/");
    }

    /// @notice Whether `text` starts with `prefix`.
    function hasPrefix(bytes memory text, bytes memory prefix) internal pure returns (bool) {
        if (text.length < prefix.length) return false;
        bytes32 head;
        assembly ("memory-safe") {
            head := keccak256(add(text, 0x20), mload(prefix))
        }
        return head == keccak256(prefix);
    }

    /// @notice `text` without its first `count` bytes.
    function dropBytes(bytes memory text, uint256 count) internal pure returns (string memory) {
        bytes memory rest = new bytes(text.length - count);
        for (uint256 i = 0; i < rest.length; i += 32) {
            // Whole words: memory is reserved in words, so the last one stays within what `rest` owns.
            assembly ("memory-safe") {
                mstore(add(add(rest, 0x20), i), mload(add(add(add(text, 0x20), count), i)))
            }
        }
        return string(rest);
    }

    /// @notice What follows the last slash.
    function baseDenom(string memory denom) internal pure returns (string memory) {
        bytes memory text = bytes(denom);
        uint256 start = text.length;
        while (start > 0 && text[start - 1] != "/") --start;
        return dropBytes(text, start);
    }

    /// @notice Reads an address in lower case: the one spelling of an ERC-20 as a denom.
    function parseLowercase(string memory text) internal pure returns (bool ok, address parsed) {
        (ok, parsed) = _parse(text);
        ok = ok && Strings.equal(text, Strings.toHexString(parsed));
    }

    /// @notice Reads an address in lower case or with its EIP-55 checksum.
    function parseAddress(string memory text) internal pure returns (bool ok, address parsed) {
        (ok, parsed) = _parse(text);
        ok = ok
            && (
                Strings.equal(text, Strings.toHexString(parsed))
                    || Strings.equal(text, Strings.toChecksumHexString(parsed))
            );
    }

    /// @dev `0x` is asked for here, since the library takes an address without it as well.
    function _parse(string memory text) private pure returns (bool, address) {
        if (bytes(text).length != 42) return (false, address(0));
        return Strings.tryParseAddress(text);
    }

    /// @dev Whether the string whose offset is at `head` lies within the tuple.
    function _holdsString(bytes calldata tuple, uint256 head) private pure returns (bool) {
        uint256 offset = uint256(bytes32(tuple[head:head + 32]));
        if (offset > tuple.length - 32) return false;
        uint256 size = uint256(bytes32(tuple[offset:offset + 32]));
        return size <= tuple.length - 32 - offset;
    }
}
