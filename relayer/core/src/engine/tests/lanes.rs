//! The two lanes: what new packets wait for a backlog, counted in batches and not in time.

use super::*;

const BACKLOG: u64 = 2_000;
const HEAD: u64 = 10_000;
const ITEMS: usize = 20;

/// An engine whose turn it always is, with heads far above where the backlog was sent.
fn alone() -> Engine {
    let options = Options { operators: vec!["alpha".into()], job_items_max: ITEMS, ..engine("alpha").options };
    let mut engine = Engine::new(options);
    for side in [Side::A, Side::B] {
        let _ = engine.step(head(side, HEAD, 100));
    }
    engine
}

fn sent_at(sequence: u64, height: u64) -> Event {
    claim(Side::A, height, PacketEvent::Sent(packet(sequence)))
}

fn received_at(sequence: u64, height: u64) -> Event {
    claim(Side::B, height, PacketEvent::WroteAck { packet: packet(sequence), acknowledgement: ack() })
}

/// The next batch to a side, ended as if somebody else had done it, so that its packets are not due again.
fn batch(engine: &mut Engine, to: Side) -> Option<Job> {
    let jobs = engine.due();
    let wanted = jobs.iter().find(|job| job.to == to && job.kind != JobKind::Confirm).cloned();
    for job in jobs {
        let _ = finish(engine, &job, &ItemOutcome::Delivered { height: HEAD + 20 });
    }
    wanted
}

#[test]
fn a_backlog_takes_at_most_every_second_batch_from_new_packets() {
    let mut engine = alone();
    (1..=BACKLOG).for_each(|sequence| drop(engine.step(sent_at(sequence, 10))));
    let (mut next, mut waiting, mut longest, mut backlog_batches) = (BACKLOG, None, 0, 0);
    let rounds = 150;
    for round in 0..rounds {
        // Three new packets after every second batch.
        if round % 2 == 0 {
            (next + 1..=next + 3).for_each(|sequence| drop(engine.step(sent_at(sequence, HEAD))));
            next += 3;
            waiting = waiting.or(Some(0));
        }
        let job = batch(&mut engine, Side::B).expect("there is work all the time");
        if job.items.iter().any(|key| key.sequence > BACKLOG) {
            assert!(job.items.iter().all(|key| key.sequence > BACKLOG), "one lane a batch: {:?}", job.items);
            longest = longest.max(waiting.take().expect("new packets were waiting") + 1);
        } else {
            backlog_batches += 1;
            waiting = waiting.map(|batches| batches + 1);
        }
    }
    assert!(longest <= 2, "new packets waited for {longest} batches, their own included");
    assert!(backlog_batches * 2 >= rounds, "a backlog is not starved: {backlog_batches} of {rounds} batches");
}

#[test]
fn a_lane_that_is_alone_has_every_batch() {
    for (height, count) in [(10, 5), (HEAD, 5)] {
        let mut engine = alone();
        (1..=count * ITEMS as u64).for_each(|sequence| drop(engine.step(sent_at(sequence, height))));
        let batches = (0..count).filter_map(|_| batch(&mut engine, Side::B)).count();
        assert_eq!(batches as u64, count, "sent at {height}");
        assert_eq!(batch(&mut engine, Side::B), None, "sent at {height}");
    }
}

/// Acknowledgements come before deliveries, in their own lane: a pile of old ones does not hold up new deliveries.
#[test]
fn old_acknowledgements_do_not_hold_up_new_deliveries() {
    let mut engine = alone();
    (1..=BACKLOG).for_each(|sequence| drop(engine.step(received_at(sequence, 10))));
    let mut new = packet(1);
    new.source_client = "attestations-0".into();
    new.destination_client = "client-0".into();
    let _ = engine.step(claim(Side::B, HEAD, PacketEvent::Sent(new)));
    let kinds: Vec<JobKind> = (0..2).filter_map(|_| batch(&mut engine, Side::A)).map(|job| job.kind).collect();
    assert!(kinds.contains(&JobKind::Recv), "{kinds:?}");
}

#[test]
fn lanes_follow_from_where_a_packet_was_heard_of() {
    let check = |event: Event, expect: Lane| {
        let mut engine = alone();
        let _ = engine.step(event.clone());
        assert_eq!(engine.packet(&KEY).map(|entry| entry.lane), Some(expect), "{event:?}");
    };
    check(sent_at(1, HEAD), Lane::Live);
    check(sent_at(1, HEAD + 5), Lane::Live);
    check(sent_at(1, HEAD - limits::LIVE_BLOCKS), Lane::Live);
    check(sent_at(1, HEAD - limits::LIVE_BLOCKS - 1), Lane::Backlog);
    check(received_at(1, HEAD), Lane::Live);
    check(received_at(1, 1), Lane::Backlog);

    let mut fresh = Engine::new(alone().options);
    let _ = fresh.step(sent_at(1, HEAD));
    assert_eq!(fresh.packet(&KEY).map(|entry| entry.lane), Some(Lane::Backlog), "no head is known yet");

    let mut restored = alone();
    restored.restore(KEY, Entry::new(packet(1), State::Sent, Timestamp::from_seconds(1)));
    assert_eq!(restored.packet(&KEY).map(|entry| entry.lane), Some(Lane::Backlog), "kept over a restart");
}

/// Ends every job: what `poison` says is refused, all else is delivered. Gives the refunds that were delivered.
fn refunds(engine: &mut Engine, poison: impl Fn(u64) -> bool, effects: &mut Vec<Effect>) -> Vec<u64> {
    let mut refunded = Vec::new();
    for job in engine.due() {
        let mut items = Vec::new();
        for key in &job.items {
            let refused = job.kind == JobKind::Timeout && poison(key.sequence);
            if job.kind == JobKind::Timeout && !refused {
                refunded.push(key.sequence);
            }
            let outcome = ItemOutcome::Delivered { height: HEAD + 1_000_000 };
            items.push((*key, if refused { failure(Class::Permanent) } else { outcome }));
        }
        effects.extend(engine.step(Event::JobDone { job: job.id, items }));
    }
    refunded
}

/// Found in review: refunds that are refused each time kept their places before all others, also over a restart.
#[test]
fn poisonous_refunds_hold_up_an_honest_one_by_one_try_each() {
    // So many that some of them are due after each block, however long each backs off.
    let poison = 2 * limits::BACKOFF_BLOCKS_MAX * ITEMS as u64;
    for restarts in [false, true] {
        let mut engine = alone();
        (1..=poison).for_each(|sequence| drop(engine.step(sent_at(sequence, HEAD))));
        let _ = engine.step(head(Side::B, HEAD + 1, TIMEOUT_SECONDS));
        // First tries of all of them, and some more.
        let (mut height, mut effects) = (HEAD, Vec::new());
        let mut block = |engine: &mut Engine| {
            height += 1;
            let _ = engine.step(head(Side::A, height, height));
            refunds(engine, |sequence| sequence <= poison, &mut effects)
        };
        (0..poison / ITEMS as u64 + 80).for_each(|_| assert_eq!(block(&mut engine), [] as [u64; 0]));
        let _ = engine.step(sent_at(poison + 1, HEAD));
        if restarts {
            let entry = engine.packet(&Key { source: Side::A, sequence: poison + 1 }).expect("open").clone();
            engine.restore(Key { source: Side::A, sequence: poison + 1 }, entry);
        }
        let batches = (1..=10).find(|_| block(&mut engine).contains(&(poison + 1)));
        assert!(batches.is_some_and(|batches| batches <= 2), "restarted {restarts}: {batches:?} batches");
    }
}

/// Found in review: a parked packet whose refund is refused was entered anew after each try, so written down for ever.
#[test]
fn a_parked_packet_that_is_refused_again_is_no_news() {
    let mut engine = alone();
    let _ = engine.step(sent_at(1, HEAD));
    let _ = engine.step(head(Side::B, HEAD + 1, TIMEOUT_SECONDS));
    let (mut effects, mut tries) = (Vec::new(), 0);
    for height in 1..=2_000 {
        let _ = engine.step(head(Side::A, HEAD + height, 200));
        tries += u32::from(!engine.clone().due().is_empty());
        assert_eq!(refunds(&mut engine, |_| true, &mut effects), [] as [u64; 0]);
    }
    assert!(tries > 2 * limits::REFUSALS_MAX, "{tries} tries");
    assert_eq!(effects, [Effect::Entered { key: KEY }], "it is parked once");
}
