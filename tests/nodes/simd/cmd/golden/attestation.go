package main

import (
	"bytes"
	"crypto/ecdsa"
	"math"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"

	clienttypes "github.com/cosmos/ibc-go/v11/modules/core/02-client/types"
	channelv2 "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"
	commitmentv2 "github.com/cosmos/ibc-go/v11/modules/core/23-commitment/types/v2"
	hostv2 "github.com/cosmos/ibc-go/v11/modules/core/24-host/v2"
	"github.com/cosmos/ibc-go/v11/modules/light-clients/attestations"
	"github.com/cosmos/ibc-go/v11/testing/simapp"
)

const nanos = 1_000_000_000

// attestorKey is the fixed test key number i: the 32-byte big-endian number i, counted from 1.
func attestorKey(i int64) *ecdsa.PrivateKey {
	return must(crypto.ToECDSA(big.NewInt(i).FillBytes(make([]byte, 32))))
}

func attestorAddress(i int64) string { return crypto.PubkeyToAddress(attestorKey(i).PublicKey).Hex() }

// sign gives r‖s‖v with v 27 or 28, as the project emits it.
func sign(i int64, data []byte, kind attestations.AttestationType) []byte {
	digest := attestations.TaggedSigningInput(data, kind)
	sig := must(crypto.Sign(digest[:], attestorKey(i)))
	sig[64] += 27
	return sig
}

func proofOf(data []byte, kind attestations.AttestationType, signers ...int64) *attestations.AttestationProof {
	p := &attestations.AttestationProof{AttestationData: data}
	for _, i := range signers {
		p.Signatures = append(p.Signatures, sign(i, data, kind))
	}
	return p
}

type signature struct {
	PrivateKeyHex string `json:"private_key_hex"`
	Address       string `json:"address"`
	SignatureHex  string `json:"signature_hex"`
}

type clientStateRow struct {
	Name               string   `json:"name"`
	AttestorAddresses  []string `json:"attestor_addresses"`
	MinRequiredSigs    uint32   `json:"min_required_sigs"`
	LatestHeight       uint64   `json:"latest_height"`
	IsFrozen           bool     `json:"is_frozen"`
	TimestampNanos     uint64   `json:"consensus_timestamp_nanos"`
	ClientStateHex     string   `json:"client_state_hex"`
	ClientStateAnyHex  string   `json:"client_state_any_hex"`
	ConsensusStateHex  string   `json:"consensus_state_hex"`
	ConsensusAnyHex    string   `json:"consensus_state_any_hex"`
	ClientStateTypeURL string   `json:"client_state_type_url"`
	ConsensusTypeURL   string   `json:"consensus_state_type_url"`
	Valid              bool     `json:"accepted_by_ibc_go"`
	Error              string   `json:"ibc_go_error,omitempty"`
}

func clientStateRows() []clientStateRow {
	row := func(name string, cs *attestations.ClientState, timestamp uint64) clientStateRow {
		cons := &attestations.ConsensusState{Timestamp: timestamp}
		csAny, consAny := must(clienttypes.PackClientState(cs)), must(clienttypes.PackConsensusState(cons))
		r := clientStateRow{
			name, cs.AttestorAddresses, cs.MinRequiredSigs, cs.LatestHeight, cs.IsFrozen, timestamp,
			pb(cs), pb(csAny), pb(cons), pb(consAny), csAny.TypeUrl, consAny.TypeUrl, true, "",
		}
		if err := cs.Validate(); err != nil {
			r.Valid, r.Error = false, err.Error()
		} else if err := cons.ValidateBasic(); err != nil {
			r.Valid, r.Error = false, err.Error()
		}
		return r
	}
	three := []string{attestorAddress(1), attestorAddress(2), attestorAddress(3)}
	frozen := attestations.NewClientState(three, 2, 100)
	frozen.IsFrozen = true
	return []clientStateRow{
		row("two of three", attestations.NewClientState(three, 2, 100), 1_795_000_000*nanos),
		row("one of one", attestations.NewClientState(three[:1], 1, 1), nanos),
		row("lower-case addresses", attestations.NewClientState([]string{strings.ToLower(three[0]), strings.ToLower(three[1])}, 2, 5), 1_795_000_000*nanos),
		row("height and time at u64 max", attestations.NewClientState(three, 3, math.MaxUint64), math.MaxUint64),
		row("frozen", frozen, 1_795_000_000*nanos),
		row("threshold above the number of attestors is refused", attestations.NewClientState(three, 4, 100), 1_795_000_000*nanos),
		row("threshold zero is refused", attestations.NewClientState(three, 0, 100), 1_795_000_000*nanos),
		row("attestor named twice is refused", attestations.NewClientState([]string{three[0], strings.ToLower(three[0])}, 1, 100), 1_795_000_000*nanos),
		row("no attestor is refused", attestations.NewClientState(nil, 1, 100), 1_795_000_000*nanos),
		row("height zero: the module takes it", attestations.NewClientState(three, 2, 0), 1_795_000_000*nanos),
		row("time zero is refused", attestations.NewClientState(three, 2, 100), 0),
	}
}

type stateRow struct {
	Name             string      `json:"name"`
	Height           uint64      `json:"height"`
	TimestampSeconds uint64      `json:"timestamp_seconds"`
	DataHex          string      `json:"attestation_data_hex"`
	DigestHex        string      `json:"tagged_digest_hex"`
	Signatures       []signature `json:"signatures"`
	ProofHex         string      `json:"proof_hex"`
	ProofAnyHex      string      `json:"proof_any_hex"`
}

func signatures(data []byte, kind attestations.AttestationType, signers ...int64) []signature {
	out := []signature{}
	for _, i := range signers {
		out = append(out, signature{hx(crypto.FromECDSA(attestorKey(i))), attestorAddress(i), hx(sign(i, data, kind))})
	}
	return out
}

func stateRows() []stateRow {
	rows := []stateRow{}
	for _, c := range []struct {
		name            string
		height, seconds uint64
	}{
		{"ordinary", 101, 1_795_000_123}, {"height one", 1, 1}, {"height at u64 max", math.MaxUint64, 18_446_744_073},
	} {
		s := attestations.StateAttestation{Height: c.height, Timestamp: c.seconds * nanos}
		data := must(s.ABIEncode())
		digest := attestations.TaggedSigningInput(data, attestations.AttestationTypeState)
		proof := proofOf(data, attestations.AttestationTypeState, 1, 3)
		rows = append(rows, stateRow{
			c.name, c.height, c.seconds, hx(data), hx(digest[:]), signatures(data, attestations.AttestationTypeState, 1, 2, 3),
			pb(proof), pb(must(clienttypes.PackClientMessage(proof))),
		})
	}
	return rows
}

type attestedPacket struct {
	PathHex       string `json:"path_hex"`
	PathKeccakHex string `json:"path_keccak_hex"`
	CommitmentHex string `json:"commitment_hex"`
}

type packetAttestationRow struct {
	Name       string           `json:"name"`
	Height     uint64           `json:"height"`
	Packets    []attestedPacket `json:"packets"`
	DataHex    string           `json:"attestation_data_hex"`
	DigestHex  string           `json:"tagged_digest_hex"`
	Signatures []signature      `json:"signatures"`
	ProofHex   string           `json:"proof_hex"`
}

func compact(path, commitment []byte) attestations.PacketCompact {
	return attestations.PacketCompact{Path: crypto.Keccak256(path), Commitment: commitment}
}

func packetAttestationRows() []packetAttestationRow {
	row := func(name string, height uint64, paths, values [][]byte) packetAttestationRow {
		a := attestations.PacketAttestation{Height: height}
		r := packetAttestationRow{Name: name, Height: height, Packets: []attestedPacket{}}
		for i, p := range paths {
			a.Packets = append(a.Packets, compact(p, values[i]))
			r.Packets = append(r.Packets, attestedPacket{hx(p), hx(crypto.Keccak256(p)), hx(values[i])})
		}
		data := must(a.ABIEncode())
		digest := attestations.TaggedSigningInput(data, attestations.AttestationTypePacket)
		r.DataHex, r.DigestHex = hx(data), hx(digest[:])
		r.Signatures = signatures(data, attestations.AttestationTypePacket, 1, 2, 3)
		r.ProofHex = pb(proofOf(data, attestations.AttestationTypePacket, 1, 3))
		return r
	}
	many := func(n uint64) (paths, values [][]byte) {
		for i := uint64(1); i <= n; i++ {
			p := samplePacket()
			p.Sequence, p.TimeoutTimestamp = i, p.TimeoutTimestamp+i
			paths, values = append(paths, hostv2.PacketCommitmentKey("client-0", i)), append(values, channelv2.CommitPacket(p))
		}
		return paths, values
	}
	p1, v1 := many(1)
	p2, v2 := many(2)
	p8, v8 := many(8)
	ack := channelv2.NewAcknowledgement([]byte(`{"result":"AQ=="}`))
	return []packetAttestationRow{
		row("one packet", 101, p1, v1),
		row("two packets", 101, p2, v2),
		row("eight packets", math.MaxUint64, p8, v8),
		row("one ack", 102, [][]byte{hostv2.PacketAcknowledgementKey("client-0", 7)}, [][]byte{channelv2.CommitAcknowledgement(ack)}),
		row("absent receipt: zero commitment", 103, [][]byte{hostv2.PacketReceiptKey("client-0", 7)}, [][]byte{make([]byte, 32)}),
		row("present beside absent", 104, [][]byte{p1[0], hostv2.PacketReceiptKey("client-0", 7)}, [][]byte{v1[0], make([]byte, 32)}),
		row("commitment with a leading zero byte", 105, p1, [][]byte{append([]byte{0}, bytes.Repeat([]byte{0xcd}, 31)...)}),
		row("no packets", 106, nil, nil),
	}
}

type verdictRow struct {
	Name     string `json:"name"`
	Call     string `json:"call"`
	Height   uint64 `json:"height"`
	PathHex  string `json:"path_hex,omitempty"`
	ValueHex string `json:"value_hex,omitempty"`
	ProofHex string `json:"proof_hex"`
	Accepted bool   `json:"accepted_by_ibc_go"`
	Error    string `json:"ibc_go_error,omitempty"`
}

// judge holds the real light client with attestors 1, 2, 3, threshold 2 and one stored state at height 100.
type judge struct {
	app    *simapp.SimApp
	module attestations.LightClientModule
	ctx    sdk.Context
}

func newJudge(app *simapp.SimApp) judge {
	storeKey := storetypes.NewKVStoreKey("ibc")
	j := judge{
		app:    app,
		module: attestations.NewLightClientModule(app.AppCodec(), clienttypes.NewStoreProvider(runtime.NewKVStoreService(storeKey))),
		ctx:    testutil.DefaultContext(storeKey, storetypes.NewTransientStoreKey("transient")),
	}
	cs := attestations.NewClientState([]string{attestorAddress(1), attestorAddress(2), attestorAddress(3)}, 2, 100)
	cons := &attestations.ConsensusState{Timestamp: 1_795_000_000 * nanos}
	check(j.module.Initialize(j.ctx, "attestations-0", must(app.AppCodec().Marshal(cs)), must(app.AppCodec().Marshal(cons))))
	return j
}

func (j judge) state(name string, proof *attestations.AttestationProof) verdictRow {
	r := verdictRow{Name: name, Call: "update", ProofHex: pb(proof)}
	if s, err := attestations.ABIDecodeStateAttestation(proof.AttestationData); err == nil {
		r.Height = s.Height
	}
	return r.with(j.module.VerifyClientMessage(j.ctx, "attestations-0", proof))
}

func (r verdictRow) with(err error) verdictRow {
	r.Accepted = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func (j judge) member(name string, height uint64, path, value []byte, proof *attestations.AttestationProof) verdictRow {
	r := verdictRow{Name: name, Call: "membership", Height: height, PathHex: hx(path), ValueHex: hx(value), ProofHex: pb(proof)}
	return r.with(j.module.VerifyMembership(j.ctx, "attestations-0", clienttypes.NewHeight(0, height), 0, 0, unhex(r.ProofHex), commitmentv2.NewMerklePath(path), value))
}

func (j judge) absent(name string, height uint64, path []byte, proof *attestations.AttestationProof) verdictRow {
	r := verdictRow{Name: name, Call: "non_membership", Height: height, PathHex: hx(path), ProofHex: pb(proof)}
	return r.with(j.module.VerifyNonMembership(j.ctx, "attestations-0", clienttypes.NewHeight(0, height), 0, 0, unhex(r.ProofHex), commitmentv2.NewMerklePath(path)))
}

// malleated turns (r, s, v) into (r, n−s, 1−v), which recovers to the same key.
func malleated(sig []byte) []byte {
	n := crypto.S256().Params().N
	s := new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:64]))
	out := append(append([]byte{}, sig[:32]...), s.FillBytes(make([]byte, 32))...)
	return append(out, 27+28-sig[64])
}

func verdictRows(app *simapp.SimApp) []verdictRow {
	j := newJudge(app)
	state := must((&attestations.StateAttestation{Height: 101, Timestamp: 1_795_000_123 * nanos}).ABIEncode())
	const st, pk = attestations.AttestationTypeState, attestations.AttestationTypePacket
	raw := proofOf(state, st, 1, 3)
	for i := range raw.Signatures {
		raw.Signatures[i][64] -= 27
	}
	high := proofOf(state, st, 1, 3)
	high.Signatures[1] = malleated(high.Signatures[1])
	twice := proofOf(state, st, 1)
	twice.Signatures = append(twice.Signatures, malleated(twice.Signatures[0]))
	short := proofOf(state, st, 1, 3)
	short.Signatures[0] = short.Signatures[0][:64]
	badV := proofOf(state, st, 1, 3)
	badV.Signatures[0][64] = 29
	rows := []verdictRow{
		j.state("state signed by 1 and 3", proofOf(state, st, 1, 3)),
		j.state("state signed by all", proofOf(state, st, 1, 2, 3)),
		j.state("recovery id 0 or 1", raw),
		j.state("high s: the module takes it, the project refuses it", high),
		j.state("one signature of two", proofOf(state, st, 1)),
		j.state("no signature", proofOf(state, st)),
		j.state("same signer twice", proofOf(state, st, 1, 1)),
		j.state("same signer twice, malleated", twice),
		j.state("unknown signer beside two good ones", proofOf(state, st, 1, 3, 4)),
		j.state("signed with the packet tag", proofOf(state, pk, 1, 3)),
		j.state("signature of 64 bytes", short),
		j.state("recovery id 29", badV),
	}
	p := samplePacket()
	path, value := hostv2.PacketCommitmentKey(p.SourceClient, p.Sequence), channelv2.CommitPacket(p)
	absent := hostv2.PacketReceiptKey(p.DestinationClient, p.Sequence)
	data := func(height uint64, packets ...attestations.PacketCompact) []byte {
		return must((&attestations.PacketAttestation{Height: height, Packets: packets}).ABIEncode())
	}
	good := data(100, compact(path, value))
	return append(rows,
		j.member("membership", 100, path, value, proofOf(good, pk, 1, 3)),
		j.member("membership among others", 100, path, value, proofOf(data(100, compact(absent, make([]byte, 32)), compact(path, value)), pk, 2, 3)),
		j.member("no state at that height", 101, path, value, proofOf(data(101, compact(path, value)), pk, 1, 3)),
		j.member("attested for another height", 100, path, value, proofOf(data(99, compact(path, value)), pk, 1, 3)),
		j.member("another value", 100, path, bytes.Repeat([]byte{1}, 32), proofOf(good, pk, 1, 3)),
		j.member("another path", 100, absent, value, proofOf(good, pk, 1, 3)),
		j.member("value of 31 bytes", 100, path, value[1:], proofOf(good, pk, 1, 3)),
		j.member("signed with the state tag", 100, path, value, proofOf(good, st, 1, 3)),
		j.member("below the threshold", 100, path, value, proofOf(good, pk, 2)),
		j.member("empty list", 100, path, value, proofOf(data(100), pk, 1, 3)),
		j.absent("absence", 100, absent, proofOf(data(100, compact(absent, make([]byte, 32))), pk, 1, 3)),
		j.absent("absence of a path that is present", 100, path, proofOf(good, pk, 1, 3)),
		j.absent("absence of a path that is not named", 100, absent, proofOf(good, pk, 1, 3)),
		j.absent("path named once absent and once present", 100, absent, proofOf(data(100, compact(absent, make([]byte, 32)), compact(absent, value)), pk, 1, 3)),
	)
}
