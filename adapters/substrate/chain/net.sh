#!/bin/bash
# N validators (at most 6) on loopback from one chain spec. usage: net.sh NODE WASM DIR N [BASEPORT]
# JUSTIFICATION_PERIOD=1 keeps a justification in every block, as the vectors want it.
set -euo pipefail
node=$1 wasm=$2 dir=$3 n=$4 base=${5:-30400}
here=$(cd "$(dirname "$0")" && pwd)
names=(alice bob charlie dave eve ferdie)
mkdir -p "$dir"
python3 "$here/genesis.py" "$node" "${names[@]:0:$n}" > "$dir/patch.json"
"$node" make-spec --wasm "$wasm" --patch "$dir/patch.json" --id catenary > "$dir/spec.json"
boot=
for ((i = 0; i < n; i++)); do
  key=$(printf '%064x' $((i + 1)))
  "$node" --chain "$dir/spec.json" "--${names[i]}" --validator --base-path "$dir/${names[i]}" \
    --node-key "$key" --listen-addr "/ip4/127.0.0.1/tcp/$((base + i))" \
    --rpc-port $((base + 100 + i)) --no-prometheus --no-telemetry --no-mdns \
    --allow-private-ip --database paritydb --state-pruning archive --blocks-pruning archive \
    --rpc-methods unsafe --justification-period "${JUSTIFICATION_PERIOD:-8}" ${boot:+--bootnodes "$boot"} >"$dir/${names[i]}.log" 2>&1 &
  echo $! > "$dir/${names[i]}.pid"
  if [ -z "$boot" ]; then
    id=$(printf '%s' "$key" | "$node" key inspect-node-key --file /dev/stdin)
    boot=/ip4/127.0.0.1/tcp/$base/p2p/$id
  fi
done
echo "rpc ws://127.0.0.1:$((base + 100))"
