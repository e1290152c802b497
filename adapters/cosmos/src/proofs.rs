//! Values and ICS-23 proofs of the `ibc` store.
//!
//! The query at height h answers from the state after block h, and its proof leads to the app hash in header h + 1.

use catenary_api::ProofClaim;
use catenary_light_clients::proof::ics23::encode_proof;
use tendermint::block::Height;
use tendermint_rpc::endpoint::abci_query::AbciQuery;

use crate::error::{shorten, Error, Result};
use crate::query::{self, At};
use crate::transport::Transport;

/// Query path of raw keys of the store in which ibc-go keeps packets.
const STORE_PATH: &str = "store/ibc/key";
/// Name of that store.
const STORE: &[u8] = b"ibc";
/// Type of the operation from the key to the store's root (cosmos-sdk `store/types/proof.go`).
const OPERATION_IAVL: &str = "ics23:iavl";
/// Type of the operation from the store's root to the app hash.
const OPERATION_SIMPLE: &str = "ics23:simple";

/// The values at some paths in the state after block `height`, with their proofs.
pub(crate) async fn proofs(transport: &Transport, height: Height, paths: Vec<Vec<u8>>) -> Result<Vec<ProofClaim>> {
    let answers = query::abci_batch(transport, STORE_PATH, &paths, At::Proven(height)).await?;
    let chain = transport.chain();
    paths.iter().zip(answers).map(|(path, answer)| claim(chain, height, path, answer)).collect()
}

/// Whether some paths hold something in the newest state.
pub(crate) async fn present(transport: &Transport, paths: Vec<Vec<u8>>) -> Result<Vec<bool>> {
    let answers = query::abci_batch(transport, STORE_PATH, &paths, At::Newest).await?;
    let holds = |(path, answer): (&Vec<u8>, AbciQuery)| {
        check_key(transport.chain(), path, &answer)?;
        Ok(!answer.value.is_empty())
    };
    paths.iter().zip(answers).map(holds).collect()
}

fn check_key(chain: &str, path: &[u8], answer: &AbciQuery) -> Result<()> {
    if answer.key == path {
        return Ok(());
    }
    let (expected, got) = (hex::encode(path), shorten(&hex::encode(&answer.key)));
    Err(Error::Mismatch { chain: chain.to_owned(), what: "key", expected, got })
}

fn claim(chain: &str, height: Height, path: &[u8], answer: AbciQuery) -> Result<ProofClaim> {
    check_key(chain, path, &answer)?;
    if answer.height != height {
        let (expected, got) = (height.to_string(), answer.height.to_string());
        return Err(Error::Mismatch { chain: chain.to_owned(), what: "state at height", expected, got });
    }
    let operations = answer.proof.map(|proof| proof.ops).unwrap_or_default();
    let shape = |kind: &str, key: &[u8]| format!("{kind} {}", hex::encode(key));
    let expected = [shape(OPERATION_IAVL, path), shape(OPERATION_SIMPLE, STORE)].join(", ");
    let got: Vec<String> = operations.iter().map(|op| shape(&shorten(&op.field_type), &op.key)).collect();
    let got = got.join(", ");
    if got != expected {
        return Err(Error::ProofOperations { chain: chain.to_owned(), got: shorten(&got), expected });
    }
    let proofs: Vec<Vec<u8>> = operations.into_iter().map(|op| op.data).collect();
    // An empty value is how the query says that the key is absent: stores hold no empty values.
    let value = Some(answer.value).filter(|value| !value.is_empty());
    Ok(ProofClaim { value, proof: encode_proof(&proofs) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use tendermint::merkle::proof::{ProofOp, ProofOps};

    fn op(field_type: &str, key: &[u8], data: &[u8]) -> ProofOp {
        ProofOp { field_type: field_type.into(), key: key.to_vec(), data: data.to_vec() }
    }

    fn good() -> AbciQuery {
        AbciQuery {
            key: b"path".to_vec(),
            value: vec![9; 32],
            height: Height::from(7_u32),
            proof: Some(ProofOps { ops: vec![op(OPERATION_IAVL, b"path", b"ab"), op(OPERATION_SIMPLE, b"ibc", b"c")] }),
            ..AbciQuery::default()
        }
    }

    #[test]
    fn operations_become_one_merkle_proof() {
        let expect = ProofClaim { value: Some(vec![9; 32]), proof: b"\x0a\x02ab\x0a\x01c".to_vec() };
        assert_eq!(claim("c", Height::from(7_u32), b"path", good()), Ok(expect.clone()));
        let absent = AbciQuery { value: Vec::new(), ..good() };
        let expect = ProofClaim { value: None, ..expect };
        assert_eq!(claim("c", Height::from(7_u32), b"path", absent), Ok(expect));
    }

    #[test]
    fn recorded_answers_become_claims() {
        use tendermint_rpc::endpoint::abci_query::Response;
        use tendermint_rpc::response::Response as _;
        let read = |text: &str| Response::from_string(text).unwrap().response;
        let commitment = read(include_str!("../../../tests/vectors/cosmos-rpc/abci_query_present.json"));
        let receipt = read(include_str!("../../../tests/vectors/cosmos-rpc/abci_query_absent.json"));
        let later = read(include_str!("../../../tests/vectors/cosmos-rpc/abci_query_not_yet.json"));
        let path = |client: &str, kind: u8| [client.as_bytes(), &[kind], &1_u64.to_be_bytes()].concat();
        let (height, known) = (commitment.height, commitment.value.clone());
        let claimed = claim("sim", height, &path("attestations-0", 1), commitment).unwrap();
        assert_eq!(claimed.value, Some(known));
        let absent = claim("sim", height, &path("client-0", 2), receipt).unwrap();
        assert_eq!(absent.value, None);
        assert!(later.code.is_err(), "a height that is not there is an error of the application");
    }

    #[test]
    fn answers_about_something_else_are_refused() {
        let ops = |ops: Vec<ProofOp>| AbciQuery { proof: Some(ProofOps { ops }), ..good() };
        let (iavl, simple) = (op(OPERATION_IAVL, b"path", b"ab"), op(OPERATION_SIMPLE, b"ibc", b"c"));
        let rows = [
            ("other key", "COS-RPC-007", AbciQuery { key: b"other".to_vec(), ..good() }),
            ("other height", "COS-RPC-007", AbciQuery { height: Height::from(8_u32), ..good() }),
            ("height 0", "COS-RPC-007", AbciQuery { height: Height::from(0_u32), ..good() }),
            ("no proof", "COS-PRF-001", AbciQuery { proof: None, ..good() }),
            ("no operations", "COS-PRF-001", ops(vec![])),
            ("one operation", "COS-PRF-001", ops(vec![iavl.clone()])),
            ("swapped", "COS-PRF-001", ops(vec![simple.clone(), iavl.clone()])),
            ("three operations", "COS-PRF-001", ops(vec![iavl.clone(), simple.clone(), simple.clone()])),
            ("other store", "COS-PRF-001", ops(vec![iavl.clone(), op(OPERATION_SIMPLE, b"bank", b"c")])),
            ("other proven key", "COS-PRF-001", ops(vec![op(OPERATION_IAVL, b"pat", b"ab"), simple.clone()])),
            ("other tree", "COS-PRF-001", ops(vec![op("ics23:smt", b"path", b"ab"), simple])),
        ];
        for (name, code, answer) in rows {
            let got = claim("c", Height::from(7_u32), b"path", answer).map_err(|error| error.code());
            assert_eq!(got, Err(code), "{name}");
        }
    }
}
