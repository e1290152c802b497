// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { IEscrow } from "./interfaces/IEscrow.sol";

/// @title Escrow
/// @notice Holds the tokens that are away over one client, apart from those of every other client: a client that turns
/// bad can take no more than was sent over it.
contract Escrow is IEscrow {
    using SafeERC20 for IERC20;

    /// @notice The transfer application that made this escrow.
    address public immutable ics20;

    constructor() {
        ics20 = msg.sender;
    }

    /// @inheritdoc IEscrow
    function send(address token, address to, uint256 amount) external {
        if (msg.sender != ics20) revert EscrowUnauthorized(msg.sender);
        IERC20(token).safeTransfer(to, amount);
    }
}
