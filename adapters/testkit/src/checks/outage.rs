//! Outages: an endpoint in trouble gives errors that say so, and nothing else.

use catenary_api::{ChainSource, Error};
use catenary_light_clients::Class;

use super::finality::NOWHERE;
use crate::harness::URL_SECRET;
use crate::kit::{expect, said, Kit, Verdict};
use crate::wire::Trouble;

const OUTAGES: [Trouble; 4] = [Trouble::Refuse, Trouble::Garbage, Trouble::Cut, Trouble::LoseAnswers];

/// Every read, as what failed or `None`.
async fn all(kit: &Kit<'_>, source: &dyn ChainSource) -> Vec<(&'static str, Option<Error>)> {
    let paths = [NOWHERE.to_vec()];
    let mut calls = vec![
        ("identity", source.identity().await.err()),
        ("head", source.head().await.err()),
        ("updates", source.updates(1, 1).await.err()),
        ("proofs", source.proofs(1, &paths).await.err()),
        ("present", source.present(&paths).await.err()),
        ("client", source.client(&kit.profile.absent_client_id).await.err()),
    ];
    if kit.profile.abilities.contains(&crate::Ability::Emits) {
        calls.push(("events", source.events(1, 1).await.err()));
    }
    calls
}

pub(super) async fn reads(kit: &Kit<'_>) -> Verdict {
    for trouble in OUTAGES {
        let (sides, _wire) = kit.open_through(trouble).await?;
        for (call, error) in all(kit, sides.source.as_ref()).await {
            let error =
                error.ok_or_else(|| format!("{call} has an answer, and the endpoint gave none ({trouble:?})"))?;
            expect(error.class == Class::Transient, || {
                format!("{call} ({trouble:?}): another endpoint may answer, yet the error is {error:?}")
            })?;
            expect(is_code(error.code), || format!("{call}: {:?} is no stable code such as AB-RPC-001", error.code))?;
            expect(!error.message.is_empty(), || format!("{call}: {} has no words", error.code))?;
        }
    }
    Ok(())
}

/// Words of capitals and digits, then a number of three digits: `AB-001`, `AB-CD-001`.
fn is_code(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    match parts.as_slice() {
        [words @ .., number] => {
            (1..=2).contains(&words.len())
                && words.iter().all(word)
                && number.len() == 3
                && number.chars().all(|c| c.is_ascii_digit())
        }
        [] => false,
    }
}

pub(super) async fn secrets(kit: &Kit<'_>) -> Verdict {
    for trouble in OUTAGES {
        let (sides, _wire) = kit.open_through(trouble).await?;
        for (call, error) in all(kit, sides.source.as_ref()).await {
            let words = error.map(|error| format!("{error:?}")).unwrap_or_default();
            expect(!words.contains(URL_SECRET), || {
                format!("{call} ({trouble:?}): the error holds the secret of the endpoint's URL")
            })?;
        }
    }
    Ok(())
}

pub(super) async fn recovers(kit: &Kit<'_>) -> Verdict {
    let (sides, wire) = kit.open_through(Trouble::None).await?;
    let source = sides.source;
    let before = said("head before an outage", source.head().await)?;
    for trouble in OUTAGES {
        wire.set(trouble);
        let during = source.head().await;
        expect(during.is_err(), || format!("head has an answer, and the endpoint gave none ({trouble:?})"))?;
        wire.set(Trouble::None);
        let after = said("head after an outage", source.head().await)?;
        expect(after.height >= before.height, || format!("the head was {before:?}, after an outage it is {after:?}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_one_shape() {
        for good in ["EVM-RPC-001", "PROC-001", "LC-Q2-999"] {
            assert!(is_code(good), "{good}");
        }
        for bad in ["", "EVM", "EVM-1", "evm-rpc-001", "EVM-RPC-PRF-001", "-001", "EVM-RPC-00a", "2A-001"] {
            assert!(!is_code(bad), "{bad}");
        }
    }
}
