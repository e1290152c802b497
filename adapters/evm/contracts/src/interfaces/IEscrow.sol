// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Escrow
/// @notice Holds the tokens that are away over one client.
interface IEscrow {
    /// @notice Pays tokens out. Only the transfer application may.
    /// @param token The token
    /// @param to The payee
    /// @param amount Base units
    function send(address token, address to, uint256 amount) external;

    /// @notice Only the transfer application may pay out.
    error EscrowUnauthorized(address caller);
}
