#!/usr/bin/env python3
"""Makes tests/vectors/ibft2 and tests/vectors/qbft-contract from the specifications.

It shares nothing with the light clients: Keccak, RLP, tries, signatures and headers are written here once more, from
FIPS 202 (with the original padding), the Yellow Paper (appendices B, C, D, F), SEC 2, EIP-650, the QBFT specification
and Besu's codecs for the extra data. So a mistake in the one does not hide in the other. Each run gives the same
bytes. Run it from anywhere: python3 light-clients/tests/make_vectors.py
"""

import json
import pathlib

# --- Keccak-256 -------------------------------------------------------------------------------------------------------

MASK = (1 << 64) - 1


def rounds():
    """Round constants of Keccak-f[1600], by its linear feedback shift register."""
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if state & 1:
                constant |= 1 << ((1 << power) - 1)
            state = (state << 1) ^ (0x171 if state >> 7 else 0)
        constants.append(constant)
    return constants


ROUNDS = rounds()


def rotate(word, by):
    by %= 64
    return ((word << by) | (word >> (64 - by))) & MASK


def permute(a):
    for constant in ROUNDS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        x, y, offset = 1, 0, 0
        b[0][0] = a[0][0]
        for step in range(24):
            offset += step + 1
            b[y][(2 * x + 3 * y) % 5] = rotate(a[x][y], offset)
            x, y = y, (2 * x + 3 * y) % 5
        a = [[b[x][y] ^ (~b[(x + 1) % 5][y] & MASK & b[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def keccak(data):
    rate = 136
    padded = bytearray(data) + b"\x01" + b"\x00" * (-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), rate):
        for lane in range(rate // 8):
            a[lane % 5][lane // 5] ^= int.from_bytes(padded[at + 8 * lane : at + 8 * lane + 8], "little")
        a = permute(a)
    return b"".join(a[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))


assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"

# --- RLP --------------------------------------------------------------------------------------------------------------


def number(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def head(length, short):
    return bytes([short + length]) if length < 56 else bytes([short + 55 + len(number(length))]) + number(length)


class Raw(bytes):
    """An item that is encoded already."""


def rlp(item):
    if isinstance(item, Raw):
        return bytes(item)
    if isinstance(item, int):
        item = number(item)
    if isinstance(item, (bytes, bytearray)):
        alone = len(item) == 1 and item[0] < 0x80
        return bytes(item) if alone else head(len(item), 0x80) + bytes(item)
    payload = b"".join(rlp(part) for part in item)
    return head(len(payload), 0xC0) + payload


# --- secp256k1 --------------------------------------------------------------------------------------------------------

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    if p == q:
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(scalar, point=G):
    out = None
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point, scalar = add(point, point), scalar >> 1
    return out


def address(secret):
    x, y = times(secret)
    return keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]


def sign(secret, digest):
    # The nonce is a hash of both. It has to be the same in each run, and these keys guard nothing.
    nonce = int.from_bytes(keccak(secret.to_bytes(32, "big") + digest), "big") % N
    x, y = times(nonce)
    r, parity = x % N, y & 1
    s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * secret) % N
    if s > N // 2:
        s, parity = N - s, parity ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])


assert address(1).hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"

# --- Merkle-Patricia tries --------------------------------------------------------------------------------------------


def nibbles(key):
    return [part for byte in key for part in (byte >> 4, byte & 15)]


def compact(path, leaf):
    flag = 2 if leaf else 0
    path = [flag + 1] + path if len(path) % 2 else [flag, 0] + path
    return bytes(path[at] << 4 | path[at + 1] for at in range(0, len(path), 2))


def node(entries, depth, target, found):
    """The encoded node over entries that agree up to depth; nodes towards target are put into found."""
    first = entries[0][0]
    if len(entries) == 1:
        encoded = rlp([compact(first[depth:], True), entries[0][1]])
    else:
        shared = depth
        while all(path[shared] == first[shared] for path, _ in entries):
            shared += 1
        if shared > depth:
            below = node(entries, shared, target, found)
            encoded = rlp([compact(first[depth:shared], False), reference(below)])
        else:
            children = []
            for nibble in range(16):
                inside = [entry for entry in entries if entry[0][depth] == nibble]
                children.append(reference(node(inside, depth + 1, target, found)) if inside else b"")
            encoded = rlp(children + [b""])
    if target[:depth] == first[:depth] and (len(encoded) >= 32 or depth == 0):
        found.append(encoded)
    return encoded


def reference(encoded):
    return Raw(encoded) if len(encoded) < 32 else keccak(encoded)


def trie(pairs, key=b""):
    """Root, and the nodes towards a key."""
    if not pairs:
        return keccak(b"\x80"), []
    found = []
    root = node(sorted((nibbles(keccak(k)), v) for k, v in pairs.items()), 0, nibbles(keccak(key)), found)
    return keccak(root), found[::-1]


def word(value):
    return value.to_bytes(32, "big")


def storage(slots):
    return {slot: rlp(number(int.from_bytes(value, "big"))) for slot, value in slots.items() if any(value)}


def state(accounts):
    """Pairs of the state trie: accounts by address, each with its storage; all have the same code."""
    code = keccak(b"code")
    return {at: rlp([1, 0, trie(storage(slots))[0], code]) for at, slots in accounts.items()}


# --- Headers ----------------------------------------------------------------------------------------------------------

MIX = b"ctical byzantine fault tolerance"
NO_OMMERS = keccak(rlp([]))
IBFT2, QBFT = "ibft2", "qbft"


class Header:
    def __init__(self, kind, at, over, set_, state_root, **other):
        self.family, self.number, self.parent, self.validators, self.root = kind, at, over, set_, state_root
        self.proposer = set_[at % len(set_)] if set_ else b"\x00" * 20
        self.time, self.round, self.vote, self.seals, self.later = 1_700_000_000 + 2 * at, 0, None, [], []
        self.vanity, self.difficulty, self.mix, self.nonce, self.ommers = b"\x00" * 32, 1, MIX, b"\x00" * 8, NO_OMMERS
        self.__dict__.update(other)

    def parts(self):
        """Vote and round as the family writes them."""
        candidate, adds = self.vote or (b"", False)
        if self.family == QBFT:
            vote = [candidate, b"\xff" if adds else b""] if self.vote else []
            return vote, self.round
        vote = [candidate, b"\xff" if adds else b"\x00"] if self.vote else b""
        return vote, self.round.to_bytes(4, "big")

    def encode(self, what="all"):
        vote, round_ = self.parts()
        extra = [self.vanity, self.validators, vote]
        if what == "all" or (self.number == 0 and self.family == IBFT2):
            extra += [round_, self.seals]
        elif self.family == QBFT:
            extra += [0 if what == "block" else round_, []]
        elif what == "seal":
            extra += [round_]
        return rlp(
            [self.parent, self.ommers, self.proposer, self.root, keccak(b"\x80"), keccak(b"\x80"), b"\x00" * 256]
            + [self.difficulty, self.number, 0x1FFFFFFFFFFFFF, 0, self.time, rlp(extra), self.mix, self.nonce]
            + self.later
        )

    def hash(self):
        return keccak(self.encode("block"))

    def digest(self):
        return keccak(self.encode("seal"))

    def sealed(self, secrets, count=None):
        ordered = sorted(secrets, key=address)
        self.seals = [sign(secret, self.digest()) for secret in ordered[: count or -(-2 * len(ordered) // 3)]]
        return self


def ordered(secrets):
    return sorted(address(secret) for secret in secrets)


def hexed(data):
    return "0x" + bytes(data).hex()


def write(name, value):
    path = pathlib.Path(__file__).parent / "../../tests/vectors" / name
    path.resolve().write_text(json.dumps(value, indent=1) + "\n")


# --- IBFT 2.0 ---------------------------------------------------------------------------------------------------------


def ibft2():
    four, five = [1, 2, 3, 4], [1, 2, 3, 4, 5]
    chain = [Header(IBFT2, 0, b"\x00" * 32, ordered(four), keccak(b"state 0"), time=1_600_000_000)]
    sets = [four, four, four, four, four, five, five, four, four]

    def grow(at, **other):
        return Header(IBFT2, at, chain[at - 1].hash(), ordered(sets[at]), keccak(b"state %d" % at), **other)

    fork = [7, b"\x01" * 32, 0, 0x20000, b"\x02" * 32, b"\x03" * 32]
    story = {3: {"round": 2}, 4: {"vote": (address(5), True)}, 5: {"round": 0xFEDCBA}}
    story |= {6: {"vote": (address(5), False)}, 8: {"later": fork}}
    for at in range(1, 9):
        chain.append(grow(at, **story.get(at, {})).sealed(sets[at]))

    def bad(name, at, code, signers=None, count=None, seals=None, **other):
        header = grow(at, **(story.get(at, {}) | other)).sealed(signers or sets[at], count)
        if seals:
            header.seals = seals(header)
        return {"name": name, "number": at, "rlp_hex": hexed(header.encode()), "codes": code}

    def moved(header):
        r, s = header.seals[0][:32], N - int.from_bytes(header.seals[0][32:64], "big")
        return [r + s.to_bytes(32, "big") + bytes([header.seals[0][64] ^ 1])] + header.seals[1:]

    def as_qbft(header):
        other = Header(QBFT, header.number, header.parent, header.validators, header.root)
        return other.sealed(four).seals

    anyone = ["LC-QBFT-018", "LC-SIG-003"]
    refusals = [
        bad("one seal too few", 2, ["LC-QUO-003"], count=2),
        bad("no seals", 2, ["LC-QUO-003"], seals=lambda h: []),
        bad("a seal twice", 2, ["LC-QBFT-019"], seals=lambda h: h.seals[:2] + h.seals[:1]),
        bad("a seal in its other form", 2, ["LC-SIG-002"], seals=moved),
        bad("seals of a stranger", 2, ["LC-QBFT-018"], signers=[11, 12, 13, 14]),
        bad("seals over the digest of QBFT", 2, anyone, seals=as_qbft),
        bad("seals of another round", 3, anyone, seals=lambda h: chain[2].seals),
        bad("a seal with v 27", 2, ["LC-SIG-001"], seals=lambda h: [s[:64] + bytes([s[64] + 27]) for s in h.seals]),
        bad("more seals than validators", 2, ["LC-QBFT-007"], seals=lambda h: (h.seals + h.seals)[:5]),
        bad("a nonce", 2, ["LC-IBFT2-001"], nonce=b"\x00" * 7 + b"\x01"),
        bad("ommers", 2, ["LC-IBFT2-002"], ommers=keccak(b"ommers")),
        bad("difficulty 2", 2, ["LC-QBFT-009"], difficulty=2),
        bad("another mix hash", 2, ["LC-QBFT-010"], mix=b"\x00" * 32),
        bad("a proposer who is no validator", 2, ["LC-QBFT-011"], proposer=address(11)),
        bad("a state root of zeros", 2, ["LC-QBFT-012"], root=b"\x00" * 32),
        bad("another parent", 2, ["LC-QBFT-015"], parent=keccak(b"another")),
        bad("the time of the parent", 2, ["LC-QBFT-016"], time=chain[1].time),
        bad("validators out of order", 2, ["LC-QBFT-005"], validators=ordered(four)[::-1]),
        bad("the zero address", 2, ["LC-QBFT-006"], validators=[b"\x00" * 20] + ordered(four)[1:]),
        bad("no validators", 2, ["LC-QBFT-004"], validators=[]),
        bad("a validator whom nobody voted in", 3, ["LC-QBFT-017"], validators=ordered(five), signers=five),
        bad("a validator voted in who seals too little", 5, ["LC-QUO-003"], count=3),
        bad("vanity of 31 bytes", 2, ["LC-RLP-009"], vanity=b"\x00" * 31),
        bad("the header of QBFT", 2, ["LC-RLP-013"], family=QBFT),
    ]
    header = lambda h: {  # noqa: E731
        "number": h.number,
        "rlp_hex": hexed(h.encode()),
        "hash": hexed(h.hash()),
        "seal_digest": hexed(h.digest()),
        "round": h.round,
        "validators": [hexed(v) for v in h.validators],
    }
    write("ibft2/headers.json", {"headers": [header(h) for h in chain], "refusals": refusals})


# --- QBFT with validators in a contract -------------------------------------------------------------------------------

CONTRACT, SLOT = bytes.fromhex("0000000000000000000000000000000000008888"), word(0)
ROUTER = b"\xc0" * 20


def array(secrets, items=None):
    """The storage of an address[] at SLOT, in the order of the secrets."""
    values = items if items is not None else [word(int.from_bytes(address(secret), "big")) for secret in secrets]
    first = int.from_bytes(keccak(SLOT), "big")
    return {SLOT: word(len(values))} | {word((first + at) % 2**256): value for at, value in enumerate(values)}


def accounts(slots):
    return {CONTRACT: slots, ROUTER: {word(1): word(1)}, b"\x01" * 20: {}, b"\x02" * 20: {}}


def proof(slots, length):
    first = int.from_bytes(keccak(SLOT), "big")
    asked = [SLOT] + [word((first + at) % 2**256) for at in range(length)]
    return trie(state(accounts(slots)), CONTRACT)[1], [trie(storage(slots), slot)[1] for slot in asked]


def contract_mode():
    sets = {at: [4, 2, 1, 3] for at in range(1, 5)} | {5: [5, 1, 4, 2, 3], 6: [5, 1, 4, 2, 3], 7: [21, 22, 23, 24]}
    sets |= {8: [21, 22, 23, 24]}
    chain = []

    def grow(at, slots=None, **other):
        parent = chain[at - 2].hash() if at > 1 else keccak(b"genesis")
        root = trie(state(accounts(slots or array(sets.get(at + 1, sets[8])))))[0]
        proposer = ordered(sets[at])[at % len(sets[at])]
        return Header(QBFT, at, parent, [], root, **({"proposer": proposer} | other))

    for at in range(1, 9):
        chain.append(grow(at, round=at % 3).sealed(sets[at]))

    def update(header, parent, nodes):
        account, slots = nodes
        return rlp([Raw(header.encode()), Raw(parent.encode()), account, slots])

    def good(at):
        return update(chain[at - 1], chain[at - 2], proof(array(sets[at]), len(sets[at])))

    def bad(name, at, code, nodes=None, signers=None, count=None, parent=None, **other):
        header = grow(at, **other).sealed(signers or sets[at], count)
        nodes = nodes or proof(array(sets[at]), len(sets[at]))
        bytes_ = update(header, parent or chain[at - 2], nodes)
        return {"name": name, "number": at, "update_hex": hexed(bytes_), "codes": code}

    account, slots = proof(array(sets[5]), 5)
    old = proof(array(sets[4]), 4)
    by_four = {"signers": sets[4], "proposer": ordered(sets[4])[0]}
    refusals = [
        bad("one seal too few", 5, ["LC-QUO-003"], count=3),
        bad("seals and proof of the former set", 7, ["LC-MPT-006"], nodes=proof(array(sets[6]), 5), signers=sets[6]),
        bad("seals of the former set", 7, ["LC-QBFT-018"], signers=sets[6]),
        bad("seals and proof of an older state", 5, ["LC-MPT-006"], nodes=old, **by_four),
        bad("the older state with its header", 5, ["LC-QBFT-043"], nodes=old, parent=chain[2], **by_four),
        bad("a proposer of the former set", 7, ["LC-QBFT-011"], proposer=address(1)),
        bad("validators in the header", 5, ["LC-QBFT-041"], validators=ordered(sets[5])),
        bad("a vote in the header", 5, ["LC-QBFT-042"], vote=(address(9), True)),
        bad("an item left out", 5, ["LC-QBFT-047"], nodes=(account, slots[:-1])),
        bad("an item twice", 5, ["LC-QBFT-047"], nodes=(account, slots + slots[-1:])),
        bad("items in another order", 5, ["LC-MPT-006"], nodes=(account, [slots[0], slots[2], slots[1]] + slots[3:])),
        bad("no slots", 5, ["LC-QBFT-047"], nodes=(account, [])),
        bad("no account", 5, ["LC-MPT-005"], nodes=([], slots)),
        bad("a node more", 5, ["LC-MPT-007"], nodes=(account + account[-1:], slots)),
        bad("another parent", 5, ["LC-QBFT-043"], parent=chain[2]),
    ]
    bare = {"name": "a header alone", "number": 5, "update_hex": hexed(chain[4].encode()), "codes": ["LC-RLP-012"]}
    # States that a header of the chain might commit to, and what becomes of the block above it.
    four = [word(int.from_bytes(address(secret), "big")) for secret in sets[4]]
    odd = {
        "a validator twice": (array([], four + four[:1]), 5, "LC-QBFT-049"),
        "the zero address": (array([], four[:3] + [word(0)]), 4, "LC-QBFT-006"),
        "an item wider than an address": (array([], four[:3] + [b"\x01" * 32]), 4, "LC-QBFT-048"),
        "a length of 257": (array([], four) | {SLOT: word(257)}, 4, "LC-QBFT-046"),
        "a length of 2 to the 64 plus 4": (array([], four) | {SLOT: word(2**64 + 4)}, 4, "LC-QBFT-046"),
        "an empty array": ({word(7): word(1)}, 0, "LC-QBFT-045"),
    }
    states = []
    for name, (held, length, code) in odd.items():
        parent = grow(4, slots=held).sealed(sets[4])
        child = Header(QBFT, 5, parent.hash(), [], keccak(b"state"), proposer=ordered(sets[4])[0]).sealed(sets[4])
        below = hexed(update(parent, chain[2], proof(array(sets[4]), 4)))
        above = hexed(update(child, parent, proof(held, length)))
        states.append({"name": name, "parent_hex": below, "update_hex": above, "codes": [code]})
    updates = [
        {
            "number": at,
            "update_hex": hexed(good(at)),
            "hash": hexed(chain[at - 1].hash()),
            "validators": [hexed(v) for v in ordered(sets[at])],
        }
        for at in range(2, 9)
    ]
    value = {"contract": hexed(CONTRACT), "slot": hexed(SLOT), "updates": updates}
    write("qbft-contract/updates.json", value | {"refusals": refusals + [bare], "states": states})


ibft2()
contract_mode()
