// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { IIBCERC20 } from "./interfaces/IIBCERC20.sol";

/// @title Voucher
/// @notice An ERC-20 that stands for a token of another chain. Its name is the full denom.
contract IBCERC20 is ERC20, IIBCERC20 {
    /// @notice The transfer application that made this voucher.
    address public immutable ics20;

    modifier onlyICS20() {
        if (msg.sender != ics20) revert IBCERC20Unauthorized(msg.sender);
        _;
    }

    /// @param fullDenomPath_ The full denom
    /// @param baseDenom Its last part, used as the symbol
    constructor(string memory fullDenomPath_, string memory baseDenom) ERC20(fullDenomPath_, baseDenom) {
        ics20 = msg.sender;
    }

    /// @inheritdoc IIBCERC20
    function mint(address to, uint256 amount) external onlyICS20 {
        _mint(to, amount);
    }

    /// @inheritdoc IIBCERC20
    function burn(address from, uint256 amount) external onlyICS20 {
        _burn(from, amount);
    }

    /// @inheritdoc IIBCERC20
    function fullDenomPath() external view returns (string memory) {
        return name();
    }

    /// @notice Zero: a packet does not say how the other chain writes amounts, so base units are shown as they are.
    function decimals() public pure override returns (uint8) {
        return 0;
    }
}
