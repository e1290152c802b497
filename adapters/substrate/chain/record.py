# Records tests/vectors/grandpa from a fresh network of net.sh, started with JUSTIFICATION_PERIOD=1: two handovers of the
# authorities, commitments of the pallet, headers, justifications and state proofs. Everything written was finalised.
# usage: record.py RPCPORT OUT. Needs substrate-interface (PyPI) for signing; the keys are the development ones.
import hashlib, json, sys, time
from substrateinterface import Keypair, KeypairType, SubstrateInterface
from substrateinterface.utils.hasher import xxh128

node = SubstrateInterface(url=f"ws://127.0.0.1:{sys.argv[1]}")
out = sys.argv[2]
node.init_runtime()
alice = Keypair.create_from_uri("//Alice")

def rpc(method, *params):
    return node.rpc_request(method, list(params))["result"]

def number(block_hash):
    return int(rpc("chain_getHeader", block_hash)["number"], 16)

def wait_final(height):
    while number(rpc("chain_getFinalizedHead")) < height:
        time.sleep(0.3)

def call(pallet, function, **args):
    return node.compose_call(pallet, function, args)

def send(what):
    receipt = node.submit_extrinsic(node.create_signed_extrinsic(what, alice), wait_for_inclusion=True)
    assert receipt.is_success, receipt.error_message
    for event in receipt.triggered_events:
        if event.value["event_id"] == "Sudid":
            assert "Ok" in str(event.value["attributes"]), event.value
    return number(receipt.block_hash)

def sudo(what):
    return send(call("Sudo", "sudo", call=what))

def authorities():
    "The current list, as (key, weight)."
    raw = bytes.fromhex(rpc("state_call", "GrandpaApi_grandpa_authorities", "0x")[2:])[1:]
    return [("0x" + raw[i:i + 32].hex(), int.from_bytes(raw[i + 32:i + 40], "little")) for i in range(0, len(raw), 40)]

def field(tag, payload):
    return bytes([tag << 3 | 2, len(payload)]) + payload

def create_client():
    "A client of one attestor (protobuf by hand), and its counterparty."
    state = field(1, b"0x" + b"11" * 20) + b"\x10\x01\x18\x07"
    consensus = b"\x08\x80\x94\xeb\xdc\x03"
    any_of = lambda name, value: {"type_url": "/ibc.lightclients.attestations.v1." + name, "value": "0x" + value.hex()}
    sudo(call("Ibc", "create_client", client_state=any_of("ClientState", state), consensus_state=any_of("ConsensusState", consensus)))
    sudo(call("Ibc", "register_counterparty", client_id=CLIENT, counterparty_client_id="client-7", merkle_prefix=[["0x"]]))
    # What the escrow has to hold before the first transfer out.
    path = b"ics20-1\x00transfer/" + CLIENT.encode()
    escrow = b"catenary/esc" + hashlib.sha256(path).digest()[:20]
    send(call("Balances", "transfer_keep_alive", dest={"Id": "0x" + escrow.hex()}, value=500))

def transfer(amount):
    return send(call("Ibc", "transfer", transfer={
        "client_id": CLIENT, "denom": "unit", "amount": amount, "receiver": "0x" + "22" * 20,
        "timeout_seconds": int(time.time()) + 3600, "memo": "", "encoding": "application/x-protobuf"}))

CLIENT = "attestations-0"
key = lambda pallet, item: "0x" + (xxh128(pallet.encode()) + xxh128(item.encode())).hex()
path = lambda client, kind, sequence: client.encode() + bytes([kind]) + sequence.to_bytes(8, "big")
commitment = lambda p: key("Ibc", "Commitments") + p.hex()
STATE = [key("Timestamp", "Now"), key("Grandpa", "CurrentSetId"), key("Grandpa", "Authorities")]
WITNESS = key("Ibc", ":__STORAGE_VERSION__:")

def compact(n):
    return bytes([n << 2]) if n < 64 else (n << 2 | 1).to_bytes(2, "little") if n < 1 << 14 else (n << 2 | 2).to_bytes(4, "little")

def encode(header):
    "SCALE, checked against the hash of the node by the caller."
    un = lambda text: bytes.fromhex(text[2:])
    logs = header["digest"]["logs"]
    return (un(header["parentHash"]) + compact(int(header["number"], 16)) + un(header["stateRoot"]) + un(header["extrinsicsRoot"])
            + compact(len(logs)) + b"".join(map(un, logs)))

def block(height, state_keys):
    block_hash = rpc("chain_getBlockHash", height)
    answer = rpc("chain_getBlock", block_hash)
    header = encode(answer["block"]["header"])
    assert hashlib.blake2b(header, digest_size=32).digest().hex() == block_hash[2:], height
    justifications = answer["justifications"] or []
    votes = [bytes(v).hex() for engine, v in justifications if bytes(engine) == b"FRNK"]
    get = lambda k: rpc("state_getStorage", k, block_hash)
    return {
        "number": height, "hash": block_hash, "header_hex": header.hex(), "justification_hex": votes[0] if votes else None,
        "now": get(STATE[0]), "set_id": get(STATE[1]), "authorities": get(STATE[2]),
        "state_nodes": rpc("state_getReadProof", state_keys, block_hash)["proof"],
    }

def save(name, value):
    with open(f"{out}/{name}.json", "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
    print(name, len(json.dumps(value)))

def story():
    wait_final(2)
    create_client()
    transfer(1000)
    four = authorities()
    # A fifth key that nobody runs: from then on all four others are needed.
    fifth = Keypair.create_from_seed("0x" + "07" * 32, crypto_type=KeypairType.ED25519).public_key
    first = sudo(call("Rotation", "rotate", authorities=four + [("0x" + fifth.hex(), 1)], delay=0))
    wait_final(first + 3)
    transfer(2000)
    second = sudo(call("Rotation", "rotate", authorities=[(four[0][0], 2)] + four[1:], delay=0))
    wait_final(second + 3)
    last = transfer(3000) + 3
    wait_final(last)
    return first, second, last

first, second, last = story()
print("handovers", first, second, "last", last)
blocks = [block(n, STATE if n in (1, 2, first, second, last) else STATE[:2]) for n in range(1, last + 1)]
for n in (2, first, second, last):
    assert blocks[n - 1]["justification_hex"], f"block {n} is final through one above it: record again on a fresh network"
save("blocks", {
    "genesis_hash": rpc("chain_getBlockHash", 0), "handovers": [first, second], "blocks": blocks,
    "prove_finality": [{"number": n, "proof_hex": rpc("grandpa_proveFinality", n)[2:]} for n in (2, first + 1, last)],
})
top = blocks[-1]
rows = []
present, absent = [path(CLIENT, 1, s) for s in (1, 2, 3)], [path(CLIENT, 1, 4), path(CLIENT, 2, 1), path("client-7", 1, 1)]
for p in present + absent:
    k = commitment(p)
    rows.append({
        "path_hex": p.hex(), "value": rpc("state_getStorage", k, top["hash"]),
        "nodes": rpc("state_getReadProof", [k], top["hash"])["proof"],
        "nodes_with_witness": rpc("state_getReadProof", [k, WITNESS], top["hash"])["proof"],
    })
save("proofs", {"height": last, "witness_value": rpc("state_getStorage", WITNESS, top["hash"]), "rows": rows})
