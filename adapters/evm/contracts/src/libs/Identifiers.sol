// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title ICS-24 identifiers
/// @notice Lengths and characters of client and port identifiers. No slash and no control character gets in, so that
/// identifiers can be joined into paths and denoms without a second reading.
library Identifiers {
    /// @dev ICS-24 bounds; ibc-go asks for 8 characters of a v2 client.
    uint256 private constant CLIENT_MIN_BYTES = 8;
    uint256 private constant CLIENT_MAX_BYTES = 64;
    uint256 private constant PORT_MIN_BYTES = 2;
    uint256 private constant PORT_MAX_BYTES = 128;

    /// @notice Whether `id` can be a client identifier.
    function isClientId(string memory id) internal pure returns (bool) {
        return _isIdentifier(bytes(id), CLIENT_MIN_BYTES, CLIENT_MAX_BYTES);
    }

    /// @notice Whether `id` can be a port identifier.
    function isPortId(string memory id) internal pure returns (bool) {
        return _isIdentifier(bytes(id), PORT_MIN_BYTES, PORT_MAX_BYTES);
    }

    function _isIdentifier(bytes memory id, uint256 minimum, uint256 maximum) private pure returns (bool) {
        if (id.length < minimum || id.length > maximum) return false;
        for (uint256 i = 0; i < id.length; ++i) {
            if (!_isAllowed(id[i])) return false;
        }
        return true;
    }

    function _isAllowed(bytes1 c) private pure returns (bool) {
        return (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || (c >= "0" && c <= "9") || c == "." || c == "_"
            || c == "+" || c == "-" || c == "#" || c == "[" || c == "]" || c == "<" || c == ">";
    }
}
