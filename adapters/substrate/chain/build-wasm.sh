#!/bin/bash
# The runtime, without substrate-wasm-builder (which would also build binaryen's wasm-opt in C++). What decides it is
# Cargo.lock, the runtime, the pallet, the handler and the verifiers. Prints the path of the blob. Needs setup-wasm.sh
# once; about 3 minutes cold on two idle cores, half a minute after a change of the pallet.
set -euo pipefail
cd "$(dirname "$0")"
root=../../..
hash=$(find Cargo.lock Cargo.toml runtime ../pallet/Cargo.toml ../pallet/src $root/Cargo.toml $root/light-clients/Cargo.toml \
  $root/light-clients/src $root/relayer/protocol/Cargo.toml $root/relayer/protocol/src -type f -print0 |
  sort -z | xargs -0 cat | sha256sum | cut -c1-32)
kept=${CATENARY_CACHE:-$HOME/.cache/catenary}/nodes/substrate-wasm-$hash
if [ ! -s "$kept/runtime.wasm" ]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
  export RUSTC=/usr/bin/rustc CARGO_INCREMENTAL=0
  export CARGO_TARGET_WASM32V1_NONE_LINKER=wasm-ld-19
  export CARGO_TARGET_WASM32V1_NONE_RUSTFLAGS="--cfg substrate_runtime -C link-arg=--export-table -C link-arg=--allow-undefined -C link-arg=--import-memory"
  env -u RUSTUP_TOOLCHAIN nice -n "${CATENARY_NICE:-0}" /usr/bin/cargo build --locked --profile wasm --target wasm32v1-none \
    -p catenary-substrate-runtime "$@" >&2
  mkdir -p "$kept"
  cp "$CARGO_TARGET_DIR/wasm32v1-none/wasm/catenary_substrate_runtime.wasm" "$kept/runtime.wasm.new"
  mv "$kept/runtime.wasm.new" "$kept/runtime.wasm"
fi
echo "$kept/runtime.wasm"
