//! Deliveries, and what keeps on-chain clients, side by side.

use super::*;

/// A rig whose blocks are made one by one, each with all that was broadcast.
fn rig() -> Rig {
    let mut rig = Rig::new();
    // Nobody gives up a transaction while the test looks at others.
    (rig.policy.poll, rig.policy.replacements_max) = (Duration::from_millis(25), 0);
    (rig.chain.state().halted, rig.chain.state().one_block) = (true, true);
    rig
}

/// Names of one kind, of different lengths: a length stands for a packet.
fn names(kind: &str, count: usize) -> Vec<&'static str> {
    (1..=count).map(|number| &*format!("{kind}{}", ".".repeat(number)).leak()).collect()
}

/// Makes the next block, once so much is waiting for it.
async fn block(rig: &Rig, waiting: usize) -> Vec<String> {
    let before = rig.chain.state().effects.len();
    rig.until("what goes into the block", |state| state.broadcasts.len() >= before + waiting).await;
    rig.chain.state().halted = false;
    rig.until("a block", |state| state.halted && state.effects.len() >= before + waiting).await;
    rig.effects()[before..].to_vec()
}

fn of<'a>(kind: &str, effects: &'a [String]) -> Vec<&'a String> {
    effects.iter().filter(|name| name.starts_with(kind)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_of_deliveries_makes_a_refresh_wait_for_more_than_a_block() {
    let rig = rig();
    let sender = rig.sender();
    let names = names("delivery", 30);
    let deliveries: Vec<_> = names.iter().map(|name| rig.spawn(&sender, name, IntentKind::Recv)).collect();
    rig.until("one is on its way", |state| !state.broadcasts.is_empty()).await;
    let refresh = rig.spawn(&sender, "refresh", IntentKind::Upkeep);
    let first = block(&rig, 2).await;
    assert_eq!((of("refresh", &first).len(), first.len()), (1, 2), "{first:?}");
    assert!(refresh.await.unwrap().is_ok());
    rig.chain.state().one_block = false;
    rig.chain.state().halted = false;
    for delivery in deliveries {
        assert!(delivery.await.unwrap().is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_refreshes_delays_deliveries_by_no_more_than_the_stated_factor() {
    const DELIVERIES: usize = 6;
    let rig = rig();
    let sender = rig.sender();
    let storm = names("refresh", 30);
    let storm: Vec<_> = storm.iter().map(|name| rig.spawn(&sender, name, IntentKind::Upkeep)).collect();
    rig.until("the storm has begun", |state| !state.broadcasts.is_empty()).await;
    let names = names("delivery", DELIVERIES);
    let deliveries: Vec<_> = names.iter().map(|name| rig.spawn(&sender, name, IntentKind::Recv)).collect();
    // One at a time, as without the storm: a block each. Each block holds a refresh as well, and no more.
    let mut blocks = Vec::new();
    for _ in 0..DELIVERIES {
        blocks.extend(block(&rig, 2).await);
    }
    assert_eq!(of("delivery", &blocks).len(), DELIVERIES, "{blocks:?}");
    assert!(blocks.len() <= limits::REFRESH_FACTOR * DELIVERIES, "{blocks:?}");
    for delivery in deliveries {
        assert!(delivery.await.unwrap().is_ok());
    }
    rig.chain.state().one_block = false;
    rig.chain.state().halted = false;
    for refresh in storm {
        assert!(refresh.await.unwrap().is_ok());
    }
}
