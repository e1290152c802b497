package main

import (
	"bytes"
	"math"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/crypto"

	channelv2 "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"
	hostv2 "github.com/cosmos/ibc-go/v11/modules/core/24-host/v2"
)

// ibcStoreSlot is the ERC-7201 base slot of `ibc.storage.IBCStore` in the public Solidity router.
const ibcStoreSlot = "1260944489272988d9df285149b5aa1b0f48f2136d6f416159f840a3e0747600"

type payload struct {
	SourcePort      string `json:"source_port"`
	DestinationPort string `json:"destination_port"`
	Version         string `json:"version"`
	Encoding        string `json:"encoding"`
	ValueHex        string `json:"value_hex"`
}

type packet struct {
	Sequence          uint64    `json:"sequence"`
	SourceClient      string    `json:"source_client"`
	DestinationClient string    `json:"destination_client"`
	TimeoutSeconds    uint64    `json:"timeout_seconds"`
	Payloads          []payload `json:"payloads"`
}

type packetRow struct {
	Name             string   `json:"name"`
	Packet           packet   `json:"packet"`
	ProtobufHex      string   `json:"protobuf_hex"`
	PayloadsProtobuf []string `json:"payloads_protobuf_hex"`
	CommitmentHex    string   `json:"commitment_hex"`
	AbiHex           string   `json:"abi_hex"`
	AbiKeccakHex     string   `json:"abi_keccak_hex"`
	Valid            bool     `json:"accepted_by_ibc_go"`
	Error            string   `json:"ibc_go_error,omitempty"`
}

var packetABI = abi.Arguments{{Type: must(abi.NewType("tuple", "", []abi.ArgumentMarshaling{
	{Name: "sequence", Type: "uint64"},
	{Name: "sourceClient", Type: "string"},
	{Name: "destClient", Type: "string"},
	{Name: "timeoutTimestamp", Type: "uint64"},
	{Name: "payloads", Type: "tuple[]", Components: []abi.ArgumentMarshaling{
		{Name: "sourcePort", Type: "string"},
		{Name: "destPort", Type: "string"},
		{Name: "version", Type: "string"},
		{Name: "encoding", Type: "string"},
		{Name: "value", Type: "bytes"},
	}},
}))}}

type abiPayload struct {
	SourcePort, DestPort, Version, Encoding string
	Value                                   []byte
}

type abiPacket struct {
	Sequence                 uint64
	SourceClient, DestClient string
	TimeoutTimestamp         uint64
	Payloads                 []abiPayload
}

func plainPayloads(in []channelv2.Payload) []payload {
	out := []payload{}
	for _, q := range in {
		out = append(out, payload{q.SourcePort, q.DestinationPort, q.Version, q.Encoding, hx(q.Value)})
	}
	return out
}

func plainPacket(p channelv2.Packet) packet {
	return packet{p.Sequence, p.SourceClient, p.DestinationClient, p.TimeoutTimestamp, plainPayloads(p.Payloads)}
}

func packetRowOf(name string, p channelv2.Packet) packetRow {
	a := abiPacket{p.Sequence, p.SourceClient, p.DestinationClient, p.TimeoutTimestamp, []abiPayload{}}
	each := []string{}
	for _, q := range p.Payloads {
		a.Payloads = append(a.Payloads, abiPayload{q.SourcePort, q.DestinationPort, q.Version, q.Encoding, q.Value})
		each = append(each, pb(&q))
	}
	packed := must(packetABI.Pack(a))
	row := packetRow{
		Name: name, Packet: plainPacket(p), ProtobufHex: pb(&p), PayloadsProtobuf: each, CommitmentHex: hx(channelv2.CommitPacket(p)),
		AbiHex: hx(packed), AbiKeccakHex: hx(crypto.Keccak256(packed)), Valid: true,
	}
	if err := p.ValidateBasic(); err != nil {
		row.Valid, row.Error = false, err.Error()
	}
	return row
}

func transferPayload(value []byte) channelv2.Payload {
	return channelv2.NewPayload("transfer", "transfer", "ics20-1", "application/x-solidity-abi", value)
}

// samplePacket is the packet that messages and attestations of the other files talk about.
func samplePacket() channelv2.Packet {
	return channelv2.NewPacket(7, "client-0", "attestations-0", 1_795_000_000, transferPayload(sampleTransferABI()))
}

func packetRows() []packetRow {
	v := []byte("value")
	short := transferPayload(v)
	other := channelv2.NewPayload("gmpport", "gmpport", "ics27-2", "application/x-protobuf", []byte{0})
	long := strings.Repeat("a", 62) + "-0"
	// the first nonce whose commitment starts with a zero byte: a storage proof then carries 31 bytes
	zero := samplePacket()
	for n := uint64(1); ; n++ {
		zero.TimeoutTimestamp = 1_795_000_000 + n
		if channelv2.CommitPacket(zero)[0] == 0 {
			break
		}
	}
	return []packetRow{
		packetRowOf("transfer from evm to ibc-go", samplePacket()),
		packetRowOf("first sequence, short value", channelv2.NewPacket(1, "attestations-0", "client-0", 1, short)),
		packetRowOf("sequence and timeout at u64 max", channelv2.NewPacket(math.MaxUint64, "client-0", "07-tendermint-12", math.MaxUint64, short)),
		packetRowOf("sequence of varint boundary 127", channelv2.NewPacket(127, "client-0", "07-tendermint-12", 127, short)),
		packetRowOf("sequence of varint boundary 128", channelv2.NewPacket(128, "client-0", "07-tendermint-12", 128, short)),
		packetRowOf("client ids of 64 bytes", channelv2.NewPacket(3, long, long, 1_795_000_000, short)),
		packetRowOf("client ids of 65 bytes are too long", channelv2.NewPacket(3, "a"+long, "a"+long, 1_795_000_000, short)),
		packetRowOf("client id of 7 bytes is too short", channelv2.NewPacket(3, "clien-0", "client-0", 1_795_000_000, short)),
		packetRowOf("value of 32 bytes", channelv2.NewPacket(4, "client-0", "attestations-0", 1_795_000_000, transferPayload(bytes.Repeat([]byte{0xab}, 32)))),
		packetRowOf("value of 33 bytes", channelv2.NewPacket(5, "client-0", "attestations-0", 1_795_000_000, transferPayload(bytes.Repeat([]byte{0xab}, 33)))),
		packetRowOf("value of 1000 bytes", channelv2.NewPacket(6, "client-0", "attestations-0", 1_795_000_000, transferPayload(bytes.Repeat([]byte{0x5a}, 1000)))),
		packetRowOf("commitment with a leading zero byte", zero),
		packetRowOf("two payloads are hashed but refused", channelv2.NewPacket(8, "client-0", "attestations-0", 1_795_000_000, short, other)),
		packetRowOf("no payload is hashed but refused", channelv2.NewPacket(9, "client-0", "attestations-0", 1_795_000_000)),
		packetRowOf("sequence zero is refused", channelv2.NewPacket(0, "client-0", "attestations-0", 1_795_000_000, short)),
		packetRowOf("timeout zero is refused", channelv2.NewPacket(10, "client-0", "attestations-0", 0, short)),
		packetRowOf("empty value is refused", channelv2.NewPacket(11, "client-0", "attestations-0", 1_795_000_000, transferPayload(nil))),
		packetRowOf("empty version is refused", channelv2.NewPacket(12, "client-0", "attestations-0", 1_795_000_000, channelv2.NewPayload("transfer", "transfer", "", "application/json", v))),
		packetRowOf("empty encoding is refused", channelv2.NewPacket(13, "client-0", "attestations-0", 1_795_000_000, channelv2.NewPayload("transfer", "transfer", "ics20-1", "", v))),
		packetRowOf("port of one byte is refused", channelv2.NewPacket(14, "client-0", "attestations-0", 1_795_000_000, channelv2.NewPayload("t", "transfer", "ics20-1", "application/json", v))),
	}
}

type ackRow struct {
	Name          string   `json:"name"`
	AppAcksHex    []string `json:"app_acks_hex"`
	ProtobufHex   string   `json:"protobuf_hex"`
	CommitmentHex string   `json:"commitment_hex"`
	Valid         bool     `json:"accepted_by_ibc_go"`
	Success       bool     `json:"success"`
	Error         string   `json:"ibc_go_error,omitempty"`
}

func ackRows() []ackRow {
	row := func(name string, acks ...[]byte) ackRow {
		ack := channelv2.NewAcknowledgement(acks...)
		r := ackRow{Name: name, AppAcksHex: []string{}, ProtobufHex: pb(&ack), CommitmentHex: hx(channelv2.CommitAcknowledgement(ack)), Valid: true}
		for _, a := range acks {
			r.AppAcksHex = append(r.AppAcksHex, hx(a))
		}
		if err := ack.Validate(); err != nil {
			r.Valid, r.Error = false, err.Error()
		} else {
			r.Success = ack.Success()
		}
		return r
	}
	ok := []byte(`{"result":"AQ=="}`)
	return []ackRow{
		row("transfer success", ok),
		row("universal error", channelv2.ErrorAcknowledgement[:]),
		row("one byte", []byte{1}),
		row("thousand bytes", bytes.Repeat([]byte{0xee}, 1000)),
		row("no app ack is refused"),
		row("empty app ack is refused", []byte{}),
		row("two app acks are hashed but refused", ok, []byte{2}),
		row("error ack beside another is refused", ok, channelv2.ErrorAcknowledgement[:]),
	}
}

type pathRow struct {
	ClientID   string `json:"client_id"`
	Sequence   uint64 `json:"sequence"`
	Commitment key    `json:"commitment"`
	Receipt    key    `json:"receipt"`
	Ack        key    `json:"ack"`
}

type key struct {
	PathHex   string `json:"path_hex"`
	KeccakHex string `json:"keccak_hex"`
	// SlotHex is keccak256(keccak256(path) ‖ base slot): where the Solidity router keeps the value.
	SlotHex string `json:"evm_slot_hex"`
}

func keyOf(path []byte) key {
	k := crypto.Keccak256(path)
	return key{hx(path), hx(k), hx(crypto.Keccak256(k, unhex(ibcStoreSlot)))}
}

func pathRows() []pathRow {
	rows := []pathRow{}
	for _, id := range []string{"client-0", "attestations-0", "07-tendermint-18446744073709551615", strings.Repeat("a", 62) + "-0"} {
		for _, seq := range []uint64{1, 255, 256, 1 << 32, math.MaxUint64} {
			rows = append(rows, pathRow{id, seq, keyOf(hostv2.PacketCommitmentKey(id, seq)), keyOf(hostv2.PacketReceiptKey(id, seq)), keyOf(hostv2.PacketAcknowledgementKey(id, seq))})
		}
	}
	return rows
}

type merklePathRow struct {
	PrefixHex []string `json:"prefix_hex"`
	PathHex   string   `json:"path_hex"`
	KeysHex   []string `json:"keys_hex"`
}

func merklePathRows() []merklePathRow {
	rows := []merklePathRow{}
	path := hostv2.PacketCommitmentKey("client-0", 1)
	for _, prefix := range [][][]byte{{{}}, {[]byte("ibc"), {}}, {[]byte("ibc"), []byte("sub/")}} {
		r := merklePathRow{PathHex: hx(path)}
		for _, p := range prefix {
			r.PrefixHex = append(r.PrefixHex, hx(p))
		}
		for _, k := range channelv2.BuildMerklePath(prefix, path).KeyPath {
			r.KeysHex = append(r.KeysHex, hx(k))
		}
		rows = append(rows, r)
	}
	return rows
}
