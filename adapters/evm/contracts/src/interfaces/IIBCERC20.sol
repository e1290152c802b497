// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Voucher
/// @notice An ERC-20 that stands for a token of another chain.
interface IIBCERC20 {
    /// @notice Creates vouchers. Only the transfer application may.
    /// @param to The new owner
    /// @param amount Base units
    function mint(address to, uint256 amount) external;

    /// @notice Destroys vouchers. Only the transfer application may, for the owner who sends them home.
    /// @param from The owner
    /// @param amount Base units
    function burn(address from, uint256 amount) external;

    /// @notice The denom the voucher stands for.
    /// @return The full denom, `transfer/{client}/{denom of the other chain}`
    function fullDenomPath() external view returns (string memory);

    /// @notice Only the transfer application may mint and burn.
    error IBCERC20Unauthorized(address caller);
}
