//! Bounds: what asks for too much is refused before any work, what answers too much is not read.

use catenary_api::limits::{HEIGHTS_MAX, PATHS_MAX};
use catenary_api::{ChainSource, Error};
use catenary_light_clients::Class;

use super::finality::NOWHERE;
use crate::kit::{expect, said, Kit, Verdict};
use crate::wire::Trouble;

/// A refusal that trying again does not change.
fn refused<T>(what: &str, answer: Result<T, Error>) -> Result<Error, String> {
    match answer {
        Ok(_) => Err(format!("{what}: answered, expected a refusal")),
        Err(error) if error.class == Class::Transient => {
            Err(format!("{what}: asking again does not help, yet the error is transient: {error}"))
        }
        Err(error) => Ok(error),
    }
}

fn too_many_paths() -> Vec<Vec<u8>> {
    vec![NOWHERE.to_vec(); PATHS_MAX + 1]
}

/// All requests that are out of bounds, and what came of them.
async fn out_of_bounds(source: &dyn ChainSource, emits: bool) -> Result<Vec<Error>, String> {
    let mut errors = vec![
        refused("updates over a height too many", source.updates(1, HEIGHTS_MAX + 1).await)?,
        refused("updates of an empty range", source.updates(5, 4).await)?,
        refused("updates up to the last number", source.updates(0, u64::MAX).await)?,
        refused("proofs of a path too many", source.proofs(1, &too_many_paths()).await)?,
        refused("presence of a path too many", source.present(&too_many_paths()).await)?,
    ];
    if emits {
        errors.push(refused("events over a height too many", source.events(1, HEIGHTS_MAX + 1).await)?);
        errors.push(refused("events of an empty range", source.events(5, 4).await)?);
        errors.push(refused("events up to the last number", source.events(0, u64::MAX).await)?);
    }
    Ok(errors)
}

fn emits(kit: &Kit<'_>) -> bool {
    kit.profile.abilities.contains(&crate::Ability::Emits)
}

pub(super) async fn heights(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    refused("updates over a height too many", source.updates(1, HEIGHTS_MAX + 1).await)?;
    refused("updates of an empty range", source.updates(5, 4).await)?;
    refused("updates up to the last number", source.updates(0, u64::MAX).await)?;
    if emits(kit) {
        refused("events over a height too many", source.events(1, HEIGHTS_MAX + 1).await)?;
        refused("events of an empty range", source.events(5, 4).await)?;
        refused("events up to the last number", source.events(0, u64::MAX).await)?;
    }
    Ok(())
}

pub(super) async fn paths(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let head = said("head", source.head().await)?.height;
    refused("proofs of a path too many", source.proofs(head, &too_many_paths()).await)?;
    refused("presence of a path too many", source.present(&too_many_paths()).await)?;
    let most = vec![NOWHERE.to_vec(); PATHS_MAX];
    let proofs = said("proofs of as many paths as allowed", source.proofs(head, &most).await)?;
    expect(proofs.len() == PATHS_MAX, || format!("{} proofs for {PATHS_MAX} paths", proofs.len()))
}

pub(super) async fn before_work(kit: &Kit<'_>) -> Verdict {
    let expected = out_of_bounds(kit.source().await?.as_ref(), emits(kit)).await?;
    // An adapter that asked would meet a dead endpoint, and say so.
    let (sides, _wire) = kit.open_through(Trouble::Refuse).await?;
    let got = out_of_bounds(sides.source.as_ref(), emits(kit)).await?;
    let codes = |errors: &[Error]| errors.iter().map(|error| error.code).collect::<Vec<_>>();
    let (got, expected) = (codes(&got), codes(&expected));
    expect(got == expected, || format!("with a dead endpoint the codes are {got:?}, with a live one {expected:?}"))
}

pub(super) async fn flood(kit: &Kit<'_>) -> Verdict {
    let (sides, _wire) = kit.open_through(Trouble::Flood).await?;
    let (source, deadline) = (sides.source, kit.profile.call_deadline);
    let reads = async {
        let head = source.head().await.map(|_| ());
        let updates = source.updates(1, 1).await.map(|_| ());
        [("head", head), ("updates", updates)]
    };
    let answers = tokio::time::timeout(deadline * 2, reads).await;
    let answers = answers.map_err(|_| "an answer without end is still being read".to_owned())?;
    for (call, answer) in answers {
        expect(answer.is_err(), || format!("{call} took something from an answer without end"))?;
    }
    Ok(())
}
