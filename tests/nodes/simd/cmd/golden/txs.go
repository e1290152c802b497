package main

import (
	"context"
	"crypto/sha256"
	"math"

	"github.com/cosmos/gogoproto/proto"

	clienttx "github.com/cosmos/cosmos-sdk/client/tx"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	clienttypes "github.com/cosmos/ibc-go/v11/modules/core/02-client/types"
	channelv2 "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"
	"github.com/cosmos/ibc-go/v11/testing/simapp"
)

// userKey is a fixed test key: the sha256 of a sentence.
func userKey() *secp256k1.PrivKey {
	k := sha256.Sum256([]byte("catenary test user"))
	return &secp256k1.PrivKey{Key: k[:]}
}

func userAddress() string { return sdk.AccAddress(userKey().PubKey().Address()).String() }

type txRow struct {
	Name          string   `json:"name"`
	PrivateKeyHex string   `json:"private_key_hex"`
	PublicKeyHex  string   `json:"public_key_hex"`
	AddressHex    string   `json:"address_hex"`
	Bech32        string   `json:"bech32"`
	ChainID       string   `json:"chain_id"`
	AccountNumber uint64   `json:"account_number"`
	Sequence      uint64   `json:"sequence"`
	GasLimit      uint64   `json:"gas_limit"`
	FeeDenom      string   `json:"fee_denom"`
	FeeAmount     string   `json:"fee_amount"`
	Memo          string   `json:"memo"`
	TimeoutHeight uint64   `json:"timeout_height"`
	MessagesHex   []string `json:"messages_any_hex"`
	BodyHex       string   `json:"body_hex"`
	AuthInfoHex   string   `json:"auth_info_hex"`
	SignDocHex    string   `json:"sign_doc_hex"`
	DigestHex     string   `json:"sign_doc_sha256_hex"`
	SignatureHex  string   `json:"signature_hex"`
	TxRawHex      string   `json:"tx_raw_hex"`
	TxHashHex     string   `json:"tx_hash_hex"`
}

func txRows(app *simapp.SimApp) []txRow {
	me, p := userAddress(), samplePacket()
	recv := channelv2.NewMsgRecvPacket(p, sampleProof(), clienttypes.NewHeight(0, 101), me)
	send := banktypes.NewMsgSend(sdk.AccAddress(userKey().PubKey().Address()), sdk.AccAddress(make([]byte, 20)), sdk.NewCoins(sdk.NewInt64Coin("stake", 5)))
	blank := txRow{ChainID: "sim-1", GasLimit: 2_000_000}
	fee, max, memo := blank, blank, blank
	fee.FeeDenom, fee.FeeAmount, fee.AccountNumber, fee.Sequence = "stake", "12345", 7, 42
	max.AccountNumber, max.Sequence, max.GasLimit = math.MaxUint64, math.MaxUint64, math.MaxUint64>>1
	memo.Memo, memo.TimeoutHeight, memo.ChainID = "a memo", 1000, "another-chain-with-a-longer-name-77"
	return []txRow{
		blank.signed(app, "no fee, first sequence", send),
		fee.signed(app, "with a fee", send),
		blank.signed(app, "one packet", recv),
		fee.signed(app, "two messages", recv, send),
		max.signed(app, "numbers at their maximum", send),
		memo.signed(app, "memo and timeout height", send),
	}
}

// signed fills the row by the SDK's own builder and signer.
func (r txRow) signed(app *simapp.SimApp, name string, msgs ...sdk.Msg) txRow {
	key := userKey()
	b := app.TxConfig().NewTxBuilder()
	check(b.SetMsgs(msgs...))
	b.SetGasLimit(r.GasLimit)
	b.SetMemo(r.Memo)
	b.SetTimeoutHeight(r.TimeoutHeight)
	if r.FeeDenom != "" {
		b.SetFeeAmount(must(sdk.ParseCoinsNormalized(r.FeeAmount + r.FeeDenom)))
	}
	who := authsigning.SignerData{Address: userAddress(), ChainID: r.ChainID, AccountNumber: r.AccountNumber, Sequence: r.Sequence, PubKey: key.PubKey()}
	empty := signing.SignatureV2{PubKey: key.PubKey(), Sequence: r.Sequence, Data: &signing.SingleSignatureData{SignMode: signing.SignMode_SIGN_MODE_DIRECT}}
	check(b.SetSignatures(empty))
	doc := must(authsigning.GetSignBytesAdapter(context.Background(), app.TxConfig().SignModeHandler(), signing.SignMode_SIGN_MODE_DIRECT, who, b.GetTx()))
	sig := must(clienttx.SignWithPrivKey(context.Background(), signing.SignMode_SIGN_MODE_DIRECT, who, b, key, app.TxConfig(), r.Sequence))
	check(b.SetSignatures(sig))
	raw := must(app.TxConfig().TxEncoder()(b.GetTx()))
	var t tx.TxRaw
	check(proto.Unmarshal(raw, &t))
	if !key.PubKey().VerifySignature(doc, t.Signatures[0]) {
		panic("the signature does not verify")
	}
	digest, hash := sha256.Sum256(doc), sha256.Sum256(raw)
	r.Name, r.PrivateKeyHex, r.PublicKeyHex = name, hx(key.Key), hx(key.PubKey().Bytes())
	r.AddressHex, r.Bech32 = hx(key.PubKey().Address()), userAddress()
	for _, m := range msgs {
		r.MessagesHex = append(r.MessagesHex, pb(must(codectypes.NewAnyWithValue(m))))
	}
	r.BodyHex, r.AuthInfoHex, r.SignDocHex, r.DigestHex = hx(t.BodyBytes), hx(t.AuthInfoBytes), hx(doc), hx(digest[:])
	r.SignatureHex, r.TxRawHex, r.TxHashHex = hx(t.Signatures[0]), hx(raw), hx(hash[:])
	return r
}

type queryRow struct {
	Name        string         `json:"name"`
	Path        string         `json:"abci_query_path"`
	Fields      map[string]any `json:"fields"`
	RequestHex  string         `json:"request_hex"`
	ResponseHex string         `json:"response_hex"`
}

// queryRows are the requests and answers that a client reads through abci_query.
func queryRows() []queryRow {
	me, key := userAddress(), userKey().PubKey()
	account := func(withKey bool, number, sequence uint64) *authtypes.QueryAccountResponse {
		a := &authtypes.BaseAccount{Address: me, AccountNumber: number, Sequence: sequence}
		if withKey {
			check(a.SetPubKey(key))
		}
		return &authtypes.QueryAccountResponse{Account: must(codectypes.NewAnyWithValue(a))}
	}
	escrow := must(codectypes.NewAnyWithValue(authtypes.NewEmptyModuleAccount("transfer", "minter", "burner")))
	one := sdk.NewInt64Coin("stake", 12345)
	raw := []byte{1, 2, 3}
	const acc, bal, all, sup, sim = "/cosmos.auth.v1beta1.Query/Account", "/cosmos.bank.v1beta1.Query/Balance", "/cosmos.bank.v1beta1.Query/AllBalances",
		"/cosmos.bank.v1beta1.Query/SupplyOf", "/cosmos.tx.v1beta1.Service/Simulate"
	return []queryRow{
		{"account with a key", acc, fields{"address": me, "account_number": 7, "sequence": 42}, pb(&authtypes.QueryAccountRequest{Address: me}), pb(account(true, 7, 42))},
		{"account that never signed", acc, fields{"address": me, "account_number": 0, "sequence": 0}, pb(&authtypes.QueryAccountRequest{Address: me}), pb(account(false, 0, 0))},
		{"module account", acc, fields{"address": me, "account_number": 0, "sequence": 0}, pb(&authtypes.QueryAccountRequest{Address: me}), pb(&authtypes.QueryAccountResponse{Account: escrow})},
		{"balance", bal, fields{"address": me, "denom": "stake", "amount": "12345"}, pb(&banktypes.QueryBalanceRequest{Address: me, Denom: "stake"}), pb(&banktypes.QueryBalanceResponse{Balance: &one})},
		{"balances", all, fields{"address": me, "coins": []string{"stake", "12345"}}, pb(&banktypes.QueryAllBalancesRequest{Address: me}), pb(&banktypes.QueryAllBalancesResponse{Balances: sdk.NewCoins(one), Pagination: &query.PageResponse{Total: 1}})},
		{"supply", sup, fields{"denom": "stake", "amount": "12345"}, pb(&banktypes.QuerySupplyOfRequest{Denom: "stake"}), pb(&banktypes.QuerySupplyOfResponse{Amount: one})},
		{
			"simulate", sim, fields{"tx_hex": hx(raw), "gas_wanted": 2_000_000, "gas_used": 123_456}, pb(&tx.SimulateRequest{TxBytes: raw}),
			pb(&tx.SimulateResponse{GasInfo: &sdk.GasInfo{GasWanted: 2_000_000, GasUsed: 123_456}, Result: &sdk.Result{Data: []byte{9}}}),
		},
	}
}
