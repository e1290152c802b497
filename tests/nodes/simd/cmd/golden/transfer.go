package main

import (
	"encoding/hex"
	"math/big"
	"regexp"
	"strings"

	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
)

func unhex(s string) []byte { return must(hex.DecodeString(s)) }

const (
	erc20   = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
	evmUser = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
	uetr    = `{"settlement":{"uetr":"97ed4827-7b6f-4491-a06f-b548d5a7512d","end_to_end_id":"E2E-1","instruction_id":"I-1"}}`
)

type transferRow struct {
	Name        string `json:"name"`
	Denom       string `json:"denom"`
	Amount      string `json:"amount"`
	Sender      string `json:"sender"`
	Receiver    string `json:"receiver"`
	Memo        string `json:"memo"`
	AbiHex      string `json:"abi_hex"`
	ProtobufHex string `json:"protobuf_hex"`
	JSONText    string `json:"json_text"`
	Valid       bool   `json:"accepted_by_ibc_go"`
	Error       string `json:"ibc_go_error,omitempty"`
}

func sampleTransferABI() []byte {
	d := transfertypes.NewFungibleTokenPacketData(erc20, "1000000", evmUser, userAddress(), "")
	return must(transfertypes.MarshalPacketData(d, transfertypes.V1, transfertypes.EncodingABI))
}

// address is how the module prints an amount in one error: a pointer, different in each run.
var address = regexp.MustCompile(`\{\d+\}`)

func transferRows() []transferRow {
	row := func(name, denom, amount, sender, receiver, memo string) transferRow {
		d := transfertypes.NewFungibleTokenPacketData(denom, amount, sender, receiver, memo)
		enc := func(e string) []byte { return must(transfertypes.MarshalPacketData(d, transfertypes.V1, e)) }
		r := transferRow{
			Name: name, Denom: denom, Amount: amount, Sender: sender, Receiver: receiver, Memo: memo, Valid: true,
			AbiHex: hx(enc(transfertypes.EncodingABI)), ProtobufHex: hx(enc(transfertypes.EncodingProtobuf)), JSONText: string(enc(transfertypes.EncodingJSON)),
		}
		// what a receiving chain makes of the bytes, all three encodings alike
		for _, e := range []string{transfertypes.EncodingABI, transfertypes.EncodingProtobuf, transfertypes.EncodingJSON} {
			if _, err := transfertypes.UnmarshalPacketData(enc(e), transfertypes.V1, e); err != nil {
				r.Valid, r.Error = false, address.ReplaceAllString(err.Error(), "0")
			}
		}
		return r
	}
	maxAmount := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).String()
	u := userAddress()
	return []transferRow{
		row("erc-20 to ibc-go, empty memo", erc20, "1000000", evmUser, u, ""),
		row("amount one", "stake", "1", u, evmUser, ""),
		row("amount at uint256 max", "atoken", maxAmount, u, evmUser, ""),
		row("settlement memo", erc20, "250000000", evmUser, u, uetr),
		row("memo of 32 bytes", erc20, "5", evmUser, u, strings.Repeat("m", 32)),
		row("memo of 33 bytes", erc20, "5", evmUser, u, strings.Repeat("m", 33)),
		row("memo with characters that JSON escapes", erc20, "5", evmUser, u, "a<b>&\"\\\n\t\u2028é€😀"),
		row("voucher on its way home", "transfer/attestations-0/"+erc20, "5", u, evmUser, ""),
		row("two hops", "transfer/07-tendermint-1/transfer/channel-2/uatom", "5", u, evmUser, ""),
		row("amount zero is refused", erc20, "0", evmUser, u, ""),
		row("blank receiver is refused", erc20, "5", evmUser, " ", ""),
		row("empty sender is refused", erc20, "5", "", u, ""),
		row("empty denom is refused", "", "5", evmUser, u, ""),
	}
}

type hop struct {
	Port    string `json:"port"`
	Channel string `json:"channel"`
}

type denomRow struct {
	Path     string `json:"path"`
	Base     string `json:"base"`
	Trace    []hop  `json:"trace"`
	HashHex  string `json:"hash_hex"`
	IBCDenom string `json:"ibc_denom"`
}

func denomRows() []denomRow {
	rows := []denomRow{}
	for _, path := range []string{
		"stake", erc20, "transfer/attestations-0/" + erc20, "transfer/client-0/stake", "transfer/07-tendermint-1/transfer/channel-2/uatom",
		"transfer/attestations-18446744073709551615/atoken", "transfer/attestations-0/with/slash", "factory/cosmos1abc/sub", "transfer/notaclient/stake",
	} {
		d := transfertypes.ExtractDenomFromPath(path)
		r := denomRow{Path: path, Base: d.Base, Trace: []hop{}, HashHex: hx(d.Hash()), IBCDenom: d.IBCDenom()}
		for _, t := range d.Trace {
			r.Trace = append(r.Trace, hop{t.PortId, t.ChannelId})
		}
		rows = append(rows, r)
	}
	return rows
}

type escrowRow struct {
	Port       string `json:"port"`
	ClientID   string `json:"client_id"`
	AddressHex string `json:"address_hex"`
	Bech32     string `json:"bech32"`
}

func escrowRows() []escrowRow {
	rows := []escrowRow{}
	for _, id := range []string{"attestations-0", "attestations-1", "07-tendermint-12"} {
		a := transfertypes.GetEscrowAddress("transfer", id)
		rows = append(rows, escrowRow{"transfer", id, hx(a), a.String()})
	}
	return rows
}
