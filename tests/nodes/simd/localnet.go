package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/spf13/cobra"

	sdkmath "cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/cosmos/ibc-go/v11/testing/simapp"
)

// netSpec says what network to write. The first account is the delegator behind every validator.
type netSpec struct {
	Dir     string `json:"dir"`
	ChainID string `json:"chain_id"`
	// ValidatorSeedsHex are ed25519 seeds of 32 bytes: consensus keys that the tests know.
	ValidatorSeedsHex []string     `json:"validator_seeds_hex"`
	PowerEach         int64        `json:"power_each"`
	Accounts          []netAccount `json:"accounts"`
}

type netAccount struct {
	Address string `json:"address"`
	Coins   string `json:"coins"`
}

type netNode struct {
	NodeID           string `json:"node_id"`
	ConsensusAddress string `json:"consensus_address_hex"`
	PublicKeyHex     string `json:"public_key_hex"`
	OperatorAddress  string `json:"operator_address"`
}

// localnetCmd writes the homes of a whole loopback network in one go: `localnet SPEC.json` prints its nodes as JSON.
func localnetCmd(app *simapp.SimApp) *cobra.Command {
	return &cobra.Command{
		Use:   "localnet SPEC.json",
		Short: "write the homes of a loopback network from known keys",
		Args:  cobra.ExactArgs(1),
		// no home and no configuration files are needed here
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var s netSpec
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			nodes, err := writeNet(app, s)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(nodes)
		},
	}
}

func writeNet(app *simapp.SimApp, s netSpec) ([]netNode, error) {
	keys, nodes := []cmted25519.PrivKey{}, []netNode{}
	for i, text := range s.ValidatorSeedsHex {
		seed, err := hex.DecodeString(text)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("validator seed %d is not 32 bytes of hex", i)
		}
		k := cmted25519.PrivKey(ed25519.NewKeyFromSeed(seed))
		id, err := writeHome(filepath.Join(s.Dir, fmt.Sprintf("n%d", i)), k)
		if err != nil {
			return nil, err
		}
		a := k.PubKey().Address()
		keys = append(keys, k)
		nodes = append(nodes, netNode{id, strings.ToLower(a.String()), hex.EncodeToString(k.PubKey().Bytes()), sdk.ValAddress(a).String()})
	}
	state, err := genesisState(app.AppCodec(), app.BasicModuleManager.DefaultGenesis(app.AppCodec()), s, keys)
	if err != nil {
		return nil, err
	}
	genesis := genutiltypes.NewAppGenesisWithVersion(s.ChainID, state)
	genesis.GenesisTime = time.Now().UTC()
	genesis.InitialHeight = 1
	for i := range s.ValidatorSeedsHex {
		if err := genesis.SaveAs(filepath.Join(s.Dir, fmt.Sprintf("n%d", i), "config", "genesis.json")); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

func writeHome(home string, k cmted25519.PrivKey) (string, error) {
	for _, d := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(home, d), 0o700); err != nil {
			return "", err
		}
	}
	// without a configuration file the first start would take its defaults and no environment variable
	cmtcfg.EnsureRoot(home)
	privval.NewFilePV(k, filepath.Join(home, "config", "priv_validator_key.json"), filepath.Join(home, "data", "priv_validator_state.json")).Save()
	node, err := p2p.LoadOrGenNodeKey(filepath.Join(home, "config", "node_key.json"))
	if err != nil {
		return "", err
	}
	return string(node.ID()), nil
}

func genesisState(cdc codec.Codec, state map[string]json.RawMessage, s netSpec, keys []cmted25519.PrivKey) (json.RawMessage, error) {
	accounts, balances, supply := authtypes.GenesisAccounts{}, []banktypes.Balance{}, sdk.NewCoins()
	for i, a := range s.Accounts {
		who, err := sdk.AccAddressFromBech32(a.Address)
		if err != nil {
			return nil, err
		}
		coins, err := sdk.ParseCoinsNormalized(a.Coins)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, authtypes.NewBaseAccount(who, nil, uint64(i), 0))
		balances = append(balances, banktypes.Balance{Address: a.Address, Coins: coins})
		supply = supply.Add(coins...)
	}
	bond := sdk.DefaultPowerReduction.MulRaw(s.PowerEach)
	validators, delegations := []stakingtypes.Validator{}, []stakingtypes.Delegation{}
	slashing := slashingtypes.DefaultGenesisState()
	// at the default of 100 blocks a validator that a test stops would be jailed within a minute
	slashing.Params.SignedBlocksWindow = 100_000
	for i, k := range keys {
		v, err := bondedValidator(k, bond)
		if err != nil {
			return nil, err
		}
		v.Description.Moniker = fmt.Sprintf("n%d", i)
		validators = append(validators, v)
		delegations = append(delegations, stakingtypes.NewDelegation(s.Accounts[0].Address, v.OperatorAddress, sdkmath.LegacyNewDecFromInt(bond)))
		// a validator that is bonded from the start gets no signing record by itself
		address := sdk.ConsAddress(k.PubKey().Address())
		slashing.SigningInfos = append(slashing.SigningInfos, slashingtypes.SigningInfo{
			Address: address.String(), ValidatorSigningInfo: slashingtypes.NewValidatorSigningInfo(address, 0, 0, time.Unix(0, 0).UTC(), false, 0),
		})
	}
	bonded := sdk.NewCoins(sdk.NewCoin(sdk.DefaultBondDenom, bond.MulRaw(int64(len(keys)))))
	balances = append(balances, banktypes.Balance{Address: authtypes.NewModuleAddress(stakingtypes.BondedPoolName).String(), Coins: bonded})
	state[authtypes.ModuleName] = cdc.MustMarshalJSON(authtypes.NewGenesisState(authtypes.DefaultParams(), accounts))
	state[banktypes.ModuleName] = cdc.MustMarshalJSON(banktypes.NewGenesisState(banktypes.DefaultParams(), balances, supply.Add(bonded...), nil, nil))
	state[stakingtypes.ModuleName] = cdc.MustMarshalJSON(stakingtypes.NewGenesisState(stakingtypes.DefaultParams(), validators, delegations))
	state[slashingtypes.ModuleName] = cdc.MustMarshalJSON(slashing)
	return json.MarshalIndent(state, "", " ")
}

func bondedValidator(k cmted25519.PrivKey, bond sdkmath.Int) (stakingtypes.Validator, error) {
	public, err := cryptocodec.FromCmtPubKeyInterface(k.PubKey())
	if err != nil {
		return stakingtypes.Validator{}, err
	}
	boxed, err := codectypes.NewAnyWithValue(public)
	zero := sdkmath.LegacyZeroDec()
	return stakingtypes.Validator{
		OperatorAddress: sdk.ValAddress(k.PubKey().Address()).String(), ConsensusPubkey: boxed, Status: stakingtypes.Bonded,
		Tokens: bond, DelegatorShares: sdkmath.LegacyNewDecFromInt(bond), UnbondingTime: time.Unix(0, 0).UTC(),
		Commission: stakingtypes.NewCommission(zero, zero, zero), MinSelfDelegation: sdkmath.ZeroInt(),
	}, err
}
