//! Generates the attestation service from its proto file (compiled in process, so that no `protoc` is needed) and
//! hands the compiler's version to `build_info`.

use std::error::Error;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(["ibc_attestor.proto"], ["proto"])?;
    tonic_build::configure().build_client(true).build_server(true).compile_fds(descriptors)?;

    let rustc = std::env::var("RUSTC")?;
    let version = Command::new(rustc).arg("--version").output()?;
    let version = String::from_utf8(version.stdout)?;
    let number = version.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=CATENARY_RUSTC={number}");
    println!("cargo::rerun-if-changed=proto/ibc_attestor.proto");
    println!("cargo::rerun-if-env-changed=RUSTC");
    println!("cargo::rerun-if-env-changed=CATENARY_COMMIT");
    Ok(())
}
