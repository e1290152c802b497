// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Test token
/// @notice An ordinary ERC-20 that anyone can mint. For test networks only.
contract TestERC20 is ERC20 {
    /// @param name_ The name
    /// @param symbol_ The symbol
    constructor(string memory name_, string memory symbol_) ERC20(name_, symbol_) { }

    /// @notice Creates tokens.
    /// @param to The new owner
    /// @param amount Base units
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
