// Command golden prints the golden vectors of tests/vectors/ibc from the real ibc-go, cosmos-sdk and go-ethereum modules.
//
// usage: golden OUTDIR
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/log/v2"

	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"

	"github.com/cosmos/ibc-go/v11/testing/simapp"
)

// file is the shape of every vector file: where the bytes come from, then the rows.
type file struct {
	Source string `json:"source"`
	Rows   any    `json:"rows"`
}

const source = "github.com/cosmos/ibc-go/v11 v11.2.0, github.com/cosmos/cosmos-sdk v0.54.0, github.com/ethereum/go-ethereum v1.16.8"

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func hx(b []byte) string { return hex.EncodeToString(b) }

func pb(m proto.Message) string { return hx(must(proto.Marshal(m))) }

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: golden OUTDIR")
		os.Exit(2)
	}
	home := must(os.MkdirTemp("", "golden"))
	defer os.RemoveAll(home)
	app := simapp.NewSimApp(log.NewNopLogger(), dbm.NewMemDB(), io.Discard, true, simtestutil.NewAppOptionsWithFlagHome(home))
	for name, rows := range map[string]any{
		"packets.json":             packetRows(),
		"acks.json":                ackRows(),
		"paths.json":               pathRows(),
		"merkle_paths.json":        merklePathRows(),
		"transfer_data.json":       transferRows(),
		"denoms.json":              denomRows(),
		"escrows.json":             escrowRows(),
		"client_states.json":       clientStateRows(),
		"state_attestations.json":  stateRows(),
		"packet_attestations.json": packetAttestationRows(),
		"proof_verdicts.json":      verdictRows(app),
		"messages.json":            messageRows(app),
		"queries.json":             queryRows(),
		"txs.json":                 txRows(app),
	} {
		out := must(json.MarshalIndent(file{Source: source, Rows: rows}, "", "  "))
		check(os.WriteFile(filepath.Join(os.Args[1], name), append(out, '\n'), 0o644))
		fmt.Println(name)
	}
}
