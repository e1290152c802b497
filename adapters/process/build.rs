//! Generates the adapter service from its proto file, compiled in process, so that no `protoc` is needed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(["adapter.proto"], ["proto"])?;
    let builder = tonic_build::configure().build_client(true).build_server(true);
    builder.codec_path("crate::codec::StrictCodec").compile_fds(descriptors)?;
    println!("cargo::rerun-if-changed=proto/adapter.proto");
    Ok(())
}
