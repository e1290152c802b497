// Command qbftgen writes a loopback QBFT network: node keys, genesis.json and one config.toml a node.
//
// usage: qbftgen SPEC.json: prints the validators as JSON
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

type spec struct {
	Dir                   string   `json:"dir"`
	ChainID               uint64   `json:"chain_id"`
	BlockPeriodSeconds    uint64   `json:"block_period_seconds"`
	RequestTimeoutSeconds uint64   `json:"request_timeout_seconds"`
	EpochLengthBlocks     uint64   `json:"epoch_length_blocks"`
	NodeKeysHex           []string `json:"node_keys_hex"`
	P2PPorts              []uint16 `json:"p2p_ports"`
	// Funded are the addresses that hold 2^100 wei at the start.
	Funded []string `json:"funded"`
}

type node struct {
	Address string `json:"address"`
	Enode   string `json:"enode"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: qbftgen SPEC.json")
		os.Exit(2)
	}
	raw, err := os.ReadFile(os.Args[1])
	check(err)
	var s spec
	check(json.Unmarshal(raw, &s))
	addresses, nodes := writeKeys(s)
	writeConfigs(s, nodes)
	writeGenesis(s, addresses)
	check(json.NewEncoder(os.Stdout).Encode(nodes))
}

func writeKeys(s spec) (addresses []common.Address, nodes []node) {
	for i, text := range s.NodeKeysHex {
		k, err := crypto.HexToECDSA(text)
		check(err)
		dir := filepath.Join(s.Dir, fmt.Sprintf("n%d", i))
		check(os.MkdirAll(dir, 0o700))
		check(os.WriteFile(filepath.Join(dir, "nodekey"), []byte(text), 0o600))
		a := crypto.PubkeyToAddress(k.PublicKey)
		id := hex.EncodeToString(crypto.FromECDSAPub(&k.PublicKey)[1:])
		addresses = append(addresses, a)
		nodes = append(nodes, node{strings.ToLower(a.Hex()), fmt.Sprintf("enode://%s@127.0.0.1:%d?discport=0", id, s.P2PPorts[i])})
	}
	return addresses, nodes
}

func writeConfigs(s spec, nodes []node) {
	for i := range nodes {
		var peers []string
		for j, n := range nodes {
			if j != i {
				peers = append(peers, strconv.Quote(n.Enode))
			}
		}
		// only the TOML can bind the peer port to loopback
		text := fmt.Sprintf("[Eth]\nNetworkId = %d\n\n[Node.P2P]\nListenAddr = \"127.0.0.1:%d\"\nNoDiscovery = true\nMaxPeers = 25\nStaticNodes = [%s]\n",
			s.ChainID, s.P2PPorts[i], strings.Join(peers, ", "))
		check(os.WriteFile(filepath.Join(s.Dir, fmt.Sprintf("n%d", i), "config.toml"), []byte(text), 0o600))
	}
}

func writeGenesis(s spec, validators []common.Address) {
	extra, err := rlp.EncodeToBytes(&types.QBFTExtra{VanityData: make([]byte, 32), Validators: validators, CommittedSeal: [][]byte{}})
	check(err)
	alloc := map[string]any{}
	for _, a := range s.Funded {
		alloc[a] = map[string]string{"balance": "0x10000000000000000000000000"}
	}
	genesis := map[string]any{
		"config": map[string]any{
			"chainId": s.ChainID, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
			"byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0,
			"isQuorum": true, "txnSizeLimit": 64,
			"maxCodeSizeConfig": []any{map[string]int{"block": 0, "size": 64}},
			"qbft": map[string]any{
				"epochlength": s.EpochLengthBlocks, "blockperiodseconds": s.BlockPeriodSeconds, "requesttimeoutseconds": s.RequestTimeoutSeconds,
				"policy": 0, "ceil2Nby3Block": 0,
			},
		},
		"nonce": "0x0", "timestamp": "0x0", "gasLimit": "0xE0000000", "difficulty": "0x1",
		"mixHash": types.IstanbulDigest, "coinbase": common.Address{},
		"extraData": "0x" + hex.EncodeToString(extra),
		"alloc":     alloc,
	}
	text, err := json.MarshalIndent(genesis, "", " ")
	check(err)
	check(os.WriteFile(filepath.Join(s.Dir, "genesis.json"), text, 0o644))
}
