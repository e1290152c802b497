//! Judges a peer's answer against what we verified ourselves. Pure.

use catenary_protocol::attestation::{normalise, recover, signing_digest, Address, Statement};
use catenary_protocol::{PacketAttestation, StateAttestation};

use super::peer::Failure;
use crate::attestor::exclusion::ExclusionCode;
use crate::attestor::wire::Attestation;

/// What a good answer is.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) statement: Statement,
    pub(super) height: u64,
    /// The bytes that we signed.
    pub(super) data: Vec<u8>,
    /// The whole set, to tell another member's signature from a stranger's.
    pub(super) set: Vec<Address>,
}

/// The signature in an answer that counts: over our bytes, by the member's own key, in the one accepted form.
pub(super) fn judge(expected: &Expected, member: &Address, answer: Option<Attestation>) -> Result<[u8; 65], Failure> {
    let missing = || Failure::new(ExclusionCode::Malformed, "the answer has no attestation");
    let answer = answer.ok_or_else(missing)?;
    if answer.height != expected.height {
        let detail = format!("attested height {}, asked for {}", answer.height, expected.height);
        return Err(Failure::new(ExclusionCode::WrongHeight, detail));
    }
    if answer.attested_data != expected.data {
        return Err(difference(expected, &answer.attested_data));
    }
    let bad = |error: catenary_protocol::Error| Failure::new(ExclusionCode::BadSignature, error.to_string());
    let signature = normalise(&answer.signature).map_err(bad)?;
    let signer = recover(&signing_digest(expected.statement, &expected.data), &signature).map_err(bad)?;
    if signer == *member {
        return Ok(signature);
    }
    let code = match expected.set.contains(&signer) {
        true => ExclusionCode::OthersSignature,
        false => ExclusionCode::UnknownSigner,
    };
    let detail = format!("signed by 0x{}, expected 0x{}", hex::encode(signer), hex::encode(member));
    Err(Failure::new(code, detail))
}

/// Names what differs in attested bytes that are not ours.
fn difference(expected: &Expected, got: &[u8]) -> Failure {
    let undecodable = |error: catenary_protocol::Error| Failure::new(ExclusionCode::Malformed, error.to_string());
    match expected.statement {
        Statement::State => match (StateAttestation::decode(got), StateAttestation::decode(&expected.data)) {
            (Err(error), _) => undecodable(error),
            (Ok(got), Ok(ours)) if got.height == ours.height => {
                let detail = format!("attested time {} s, ours {} s", got.timestamp_seconds, ours.timestamp_seconds);
                Failure::new(ExclusionCode::WrongTime, detail)
            }
            (Ok(got), _) => wrong_height(got.height, expected.height),
        },
        Statement::Packets => match (PacketAttestation::decode(got), PacketAttestation::decode(&expected.data)) {
            (Err(error), _) => undecodable(error),
            (Ok(got), _) if got.height != expected.height => wrong_height(got.height, expected.height),
            (Ok(got), Ok(ours)) if got.entries.len() == ours.entries.len() => {
                let pairs = got.entries.iter().zip(&ours.entries).enumerate();
                let first = pairs.into_iter().find(|(_, (got, ours))| got != ours);
                let detail = first.map_or_else(String::new, |(index, (got, ours))| {
                    let (got_path, got_value) = (got.path, got.commitment);
                    format!("entry {index}: {got_path} holds {got_value}, ours {} holds {}", ours.path, ours.commitment)
                });
                Failure::new(ExclusionCode::WrongCommitment, detail)
            }
            (Ok(got), ours) => {
                let ours = ours.map_or(0, |ours| ours.entries.len());
                let detail = format!("{} entries, ours {ours}", got.entries.len());
                Failure::new(ExclusionCode::WrongCommitment, detail)
            }
        },
    }
}

fn wrong_height(got: u64, expected: u64) -> Failure {
    Failure::new(ExclusionCode::WrongHeight, format!("height {got} in the attested bytes, asked for {expected}"))
}
