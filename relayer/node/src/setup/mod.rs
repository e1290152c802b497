//! What people set up: contracts, on-chain clients and paths; and the transfers that they send by hand.

mod path;
mod transfer;

pub use path::{
    create_native_path, create_path, deploy_contracts, Created, Deployed, End, NativePlace, Place, SetupError,
};
pub use transfer::{send_transfer, SentTransfer, TransferOrder};
