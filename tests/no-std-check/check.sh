#!/usr/bin/env bash
# Builds the light clients without the standard library and looks for its symbols in the result.
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-target}/no-std-check
cargo build --locked --target-dir "$target"
library=$target/debug/libcatenary_no_std_check.a
# Read whole, so that grep's early exit does not fail the pipe.
symbols=$(nm --demangle "$library" 2>/dev/null)
grep -q ' T catenary_verify$' <<<"$symbols" || { echo "catenary_verify is not in $library" >&2; exit 1; }
if found=$(grep -E '\bstd::' <<<"$symbols" | head -5); then
  printf 'symbols of std in %s:\n%s\n' "$library" "$found" >&2
  exit 1
fi
echo "no symbol of std in $(wc -l <<<"$symbols") lines of symbols"
