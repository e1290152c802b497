//! Values and proofs: each of the state after exactly its block.

use catenary_api::limits::PATHS_MAX;
use catenary_api::{ChainSource, ProofClaim};
use catenary_light_clients::{LightClient, Verdict as Judgement};

use super::finality::NOWHERE;
use crate::harness::Emitted;
use crate::kit::{expect, said, Kit, Verdict};

/// Most blocks to wait until the light client can judge a state.
const BLOCKS_MAX: u64 = 5;

pub(super) async fn absent_client(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let claim = said("client", source.client(&kit.profile.absent_client_id).await)?;
    expect(claim.is_none(), || format!("{:?} is no client, yet there is {claim:?}", kit.profile.absent_client_id))
}

/// The one claim of one path.
async fn prove(source: &dyn ChainSource, height: u64, path: &[u8]) -> Result<ProofClaim, String> {
    let mut claims = said("proofs", source.proofs(height, &[path.to_vec()]).await)?;
    match (claims.pop(), claims.len()) {
        (Some(claim), 0) => Ok(claim),
        (_, more) => Err(format!("one path at height {height} has not one proof but {more} more or fewer")),
    }
}

fn commitment(sent: &Emitted) -> Option<Vec<u8>> {
    Some(sent.packet.commitment().0.to_vec())
}

pub(super) async fn exact_heights(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let head = said("head", source.head().await)?.height;
    for sent in kit.emitted().await? {
        let path = sent.packet.commitment_path().into_bytes();
        let heights = [(sent.height - 1, None), (sent.height, commitment(sent))];
        let later = (sent.height < head).then(|| (sent.height + 1, commitment(sent)));
        for (height, expected) in heights.into_iter().chain(later) {
            let got = prove(source.as_ref(), height, &path).await?.value;
            expect(got == expected, || {
                format!("packet sent at {}: at height {height} got {got:?}, expected {expected:?}", sent.height)
            })?;
        }
    }
    Ok(())
}

pub(super) async fn many(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let emitted = kit.emitted().await?;
    let height = emitted.iter().map(|sent| sent.height).max().unwrap_or_default();
    let held = emitted.iter().map(|sent| (sent.packet.commitment_path().into_bytes(), commitment(sent)));
    let absent = emitted.iter().map(|sent| (sent.packet.receipt_path().into_bytes(), None));
    let mut asked: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::new();
    for (held, absent) in held.zip(absent) {
        asked.extend([held.clone(), absent, (NOWHERE.to_vec(), None), held]);
    }
    let asked: Vec<_> = asked.iter().cycle().take(PATHS_MAX).cloned().collect();
    let (paths, expected): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let claims = said("proofs", source.proofs(height, &paths).await)?;
    let got: Vec<_> = claims.into_iter().map(|claim| claim.value).collect();
    expect(got == expected, || {
        let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
        format!("{} values for {} paths; the first that differs is number {differs:?}", got.len(), paths.len())
    })?;
    let none = said("proofs", source.proofs(height, &[]).await)?;
    expect(none.is_empty(), || format!("no path asked for, {} proofs given", none.len()))
}

pub(super) async fn present(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let mut paths = Vec::new();
    let mut expected = Vec::new();
    for sent in kit.emitted().await? {
        paths.extend([sent.packet.commitment_path().into_bytes(), sent.packet.receipt_path().into_bytes()]);
        expected.extend([true, false]);
    }
    let got = said("present", source.present(&paths).await)?;
    expect(got == expected, || format!("presence is {got:?}, the proofs say {expected:?}"))
}

pub(super) async fn verified(kit: &Kit<'_>) -> Verdict {
    let source = kit.source().await?;
    let emitted = kit.emitted().await?;
    let first = emitted.iter().map(|sent| sent.height).min().unwrap_or_default();
    let last = emitted.iter().map(|sent| sent.height).max().unwrap_or_default();
    let anchor = said("updates", source.updates(first - 1, first - 1).await)?.pop().ok_or("no update")?;
    let mut client = kit.harness.light_client(&anchor, first - 1).await?;
    follow(kit, source.as_ref(), client.as_mut(), last).await?;
    for sent in emitted {
        judge(source.as_ref(), client.as_ref(), sent).await?;
    }
    Ok(())
}

/// Brings the light client to where it can judge the state after `height`.
async fn follow(kit: &Kit<'_>, source: &dyn ChainSource, client: &mut dyn LightClient, height: u64) -> Verdict {
    for _ in 0..=BLOCKS_MAX {
        let head = said("head", source.head().await)?;
        let now = head.timestamp.checked_add_seconds(5).ok_or("the head is past the year 2554")?;
        for next in client.status().trusted_height + 1..=head.height.min(height + BLOCKS_MAX) {
            for update in said("updates", source.updates(next, next).await)? {
                let judgement = client.advance(&update, now);
                expect(matches!(judgement, Judgement::Verified(_)), || format!("update {next}: {judgement:?}"))?;
            }
        }
        if client.status().provable_height >= height {
            return Ok(());
        }
        kit.advance(1).await?;
    }
    Err(format!("after {BLOCKS_MAX} more blocks the light client cannot judge the state after {height}"))
}

async fn judge(source: &dyn ChainSource, client: &dyn LightClient, sent: &Emitted) -> Verdict {
    let height = sent.height;
    let path = sent.packet.commitment_path().into_bytes();
    let (at, before) = (prove(source, height, &path).await?, prove(source, height - 1, &path).await?);
    let value = at.value.clone().unwrap_or_default();
    let said = |what: &str, answer: Result<(), catenary_light_clients::Rejection>| {
        answer.map_err(|rejection| format!("packet sent at {height}: {what} was refused: {rejection:?}"))
    };
    said("membership at its height", client.membership(height, &path, &value, &at.proof).map(|_| ()))?;
    said("absence one block before", client.absence(height - 1, &path, &before.proof).map(|_| ()))?;
    let receipt = sent.packet.receipt_path().into_bytes();
    let absent = prove(source, height, &receipt).await?;
    said("absence of its receipt", client.absence(height, &receipt, &absent.proof).map(|_| ()))?;
    let wrong = client.absence(height, &path, &before.proof).is_ok()
        || client.membership(height - 1, &path, &value, &at.proof).is_ok();
    expect(!wrong, || format!("packet sent at {height}: the proofs of {height} and {} are the same", height - 1))
}
