#!/bin/bash
# The node. It does not know the runtime, so only Cargo.lock and its own sources decide what it is: built once a
# machine and kept in the cache. Needs protobuf-compiler, and libssl-dev with pkg-config (OPENSSL_NO_VENDOR: Debian's
# OpenSSL, not a vendored copy). Prints the path of the node. About 12 minutes on two idle cores.
set -euo pipefail
cd "$(dirname "$0")"
hash=$(cat Cargo.lock Cargo.toml node/Cargo.toml node/src/*.rs | sha256sum | cut -c1-32)
kept=${CATENARY_CACHE:-$HOME/.cache/catenary}/nodes/substrate-$hash
if [ ! -x "$kept/node" ]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target} OPENSSL_NO_VENDOR=1 CARGO_INCREMENTAL=0
  nice -n "${CATENARY_NICE:-0}" cargo build --locked -p catenary-substrate-node "$@" >&2
  mkdir -p "$kept"
  strip -o "$kept/node.new" "$CARGO_TARGET_DIR/debug/catenary-substrate-node"
  mv "$kept/node.new" "$kept/node"
fi
echo "$kept/node"
