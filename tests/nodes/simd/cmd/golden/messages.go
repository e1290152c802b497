package main

import (
	"math"
	"strings"

	"github.com/cosmos/gogoproto/proto"

	sdkmath "cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v11/modules/core/02-client/types"
	clientv2 "github.com/cosmos/ibc-go/v11/modules/core/02-client/v2/types"
	channelv2 "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"
	"github.com/cosmos/ibc-go/v11/modules/light-clients/attestations"
	"github.com/cosmos/ibc-go/v11/testing/simapp"
)

type messageRow struct {
	Name string `json:"name"`
	// Fields are what goes in: enough to build the message again.
	Fields      map[string]any `json:"fields"`
	TypeURL     string         `json:"type_url"`
	ProtobufHex string         `json:"protobuf_hex"`
	AnyHex      string         `json:"any_hex"`
	Valid       bool           `json:"accepted_by_ibc_go"`
	Error       string         `json:"ibc_go_error,omitempty"`
}

type fields = map[string]any

func row(name string, m sdk.Msg, f fields) messageRow {
	a := must(codectypes.NewAnyWithValue(m))
	r := messageRow{Name: name, Fields: f, TypeURL: a.TypeUrl, ProtobufHex: hx(a.Value), AnyHex: pb(a), Valid: true}
	if v, ok := m.(sdk.HasValidateBasic); ok {
		if err := v.ValidateBasic(); err != nil {
			r.Valid, r.Error = false, err.Error()
		}
	}
	return r
}

func sampleProof() []byte {
	p := samplePacket()
	data := must((&attestations.PacketAttestation{Height: 101, Packets: []attestations.PacketCompact{
		{Path: make([]byte, 32), Commitment: channelv2.CommitPacket(p)},
	}}).ABIEncode())
	return must(proto.Marshal(proofOf(data, attestations.AttestationTypePacket, 1, 3)))
}

func height(h uint64) fields { return fields{"revision_number": 0, "revision_height": h} }

func messageRows(*simapp.SimApp) []messageRow {
	return append(append(clientMessageRows(), packetMessageRows()...), transferMessageRows()...)
}

func clientMessageRows() []messageRow {
	me := userAddress()
	three := []string{attestorAddress(1), attestorAddress(2), attestorAddress(3)}
	cs := attestations.NewClientState(three, 2, 100)
	cons := &attestations.ConsensusState{Timestamp: 1_795_000_000 * nanos}
	create := must(clienttypes.NewMsgCreateClient(cs, cons, me))
	state := must((&attestations.StateAttestation{Height: 101, Timestamp: 1_795_000_123 * nanos}).ABIEncode())
	update := must(clienttypes.NewMsgUpdateClient("attestations-0", proofOf(state, attestations.AttestationTypeState, 1, 3), me))
	register := func(name, id string, prefix [][]byte, peer string) messageRow {
		plain := []string{}
		for _, p := range prefix {
			plain = append(plain, hx(p))
		}
		return row(name, clientv2.NewMsgRegisterCounterparty(id, prefix, peer, me), fields{
			"client_id": id, "counterparty_merkle_prefix_hex": plain, "counterparty_client_id": peer, "signer": me,
		})
	}
	return []messageRow{
		row("create an attestations client", create, fields{
			"attestor_addresses": three, "min_required_sigs": 2, "latest_height": 100, "consensus_timestamp_nanos": uint64(1_795_000_000 * nanos),
			"client_state_any_hex": pb(create.ClientState), "consensus_state_any_hex": pb(create.ConsensusState), "signer": me,
		}),
		row("update an attestations client", update, fields{"client_id": "attestations-0", "client_message_any_hex": pb(update.ClientMessage), "signer": me}),
		register("register an evm counterparty", "attestations-0", [][]byte{{}}, "client-0"),
		register("register an ibc-go counterparty", "07-tendermint-12", [][]byte{[]byte("ibc"), {}}, "07-tendermint-3"),
	}
}

func packetMessageRows() []messageRow {
	me, p, proof := userAddress(), samplePacket(), sampleProof()
	h := clienttypes.NewHeight(0, 101)
	ok := channelv2.NewAcknowledgement([]byte(`{"result":"AQ=="}`))
	failed := channelv2.NewAcknowledgement(channelv2.ErrorAcknowledgement[:])
	back := channelv2.NewPacket(math.MaxUint64, "attestations-0", "client-0", math.MaxUint64, transferPayload(sampleTransferABI()))
	ackFields := func(p channelv2.Packet, ack channelv2.Acknowledgement, h uint64) fields {
		return fields{"packet": plainPacket(p), "app_acks_hex": []string{hx(ack.AppAcknowledgements[0])}, "proof_hex": hx(proof), "proof_height": height(h), "signer": me}
	}
	return []messageRow{
		row("send", channelv2.NewMsgSendPacket("attestations-0", 1_795_000_000, me, p.Payloads...), fields{
			"source_client": "attestations-0", "timeout_seconds": 1_795_000_000, "payloads": plainPayloads(p.Payloads), "signer": me,
		}),
		row("recv", channelv2.NewMsgRecvPacket(p, proof, h, me), fields{"packet": plainPacket(p), "proof_hex": hx(proof), "proof_height": height(101), "signer": me}),
		row("recv at u64 max", channelv2.NewMsgRecvPacket(back, proof, clienttypes.NewHeight(0, math.MaxUint64), me), fields{
			"packet": plainPacket(back), "proof_hex": hx(proof), "proof_height": height(math.MaxUint64), "signer": me,
		}),
		row("recv with an empty proof is refused", channelv2.NewMsgRecvPacket(p, nil, h, me), fields{"packet": plainPacket(p), "proof_hex": "", "proof_height": height(101), "signer": me}),
		row("ack of success", channelv2.NewMsgAcknowledgement(back, ok, proof, h, me), ackFields(back, ok, 101)),
		row("ack of failure", channelv2.NewMsgAcknowledgement(back, failed, proof, h, me), ackFields(back, failed, 101)),
		row("timeout", channelv2.NewMsgTimeout(back, proof, h, me), fields{"packet": plainPacket(back), "proof_hex": hx(proof), "proof_height": height(101), "signer": me}),
	}
}

func transferMessageRows() []messageRow {
	me := userAddress()
	transfer := func(name, client, denom, amount, receiver string, timeout uint64, memo, encoding string) messageRow {
		n, ok := sdkmath.NewIntFromString(amount)
		if !ok {
			panic(amount)
		}
		m := transfertypes.NewMsgTransferWithEncoding("transfer", client, sdk.Coin{Denom: denom, Amount: n}, me, receiver, clienttypes.Height{}, timeout, memo, encoding)
		return row(name, m, fields{
			"source_port": "transfer", "source_channel": client, "denom": denom, "amount": amount, "sender": me, "receiver": receiver,
			"timeout_seconds": timeout, "memo": memo, "encoding": encoding,
		})
	}
	voucher := transfertypes.ExtractDenomFromPath("transfer/attestations-0/" + erc20).IBCDenom()
	return []messageRow{
		transfer("transfer of a native denom to evm", "attestations-0", "atoken", "1000", evmUser, 1_795_000_000, "", transfertypes.EncodingABI),
		transfer("transfer of a voucher home", "attestations-0", voucher, "1000", evmUser, 1_795_000_000, uetr, transfertypes.EncodingABI),
		transfer("transfer with the default encoding", "07-tendermint-12", "stake", "1", me, math.MaxUint64, "", ""),
		transfer("receiver of 2048 bytes", "attestations-0", "stake", "1", strings.Repeat("r", 2048), 1_795_000_000, "", transfertypes.EncodingABI),
		transfer("receiver of 2049 bytes is refused", "attestations-0", "stake", "1", strings.Repeat("r", 2049), 1_795_000_000, "", transfertypes.EncodingABI),
		transfer("amount zero is refused", "attestations-0", "stake", "0", evmUser, 1_795_000_000, "", transfertypes.EncodingABI),
		row("bank send", banktypes.NewMsgSend(sdk.AccAddress(userKey().PubKey().Address()), sdk.AccAddress(make([]byte, 20)), sdk.NewCoins(sdk.NewInt64Coin("stake", 5))), fields{
			"from": me, "to": sdk.AccAddress(make([]byte, 20)).String(), "denom": "stake", "amount": "5",
		}),
	}
}
