//! The difference as rows, and against a model of a chain for many worlds.

use super::*;

/// The height at which the packets of the rows were sent, and the one that is proven.
const SENT_HEIGHT: u64 = 50;
const HEIGHT: u64 = 100;

fn known(ended: &[u64], open: &[(u64, Progress)]) -> Known {
    let mut set = SequenceSet::default();
    ended.iter().for_each(|sequence| set.insert(*sequence));
    // Where an acknowledgement is known, the sending may not have been seen.
    let sent = open.iter().filter(|(_, progress)| *progress != Progress::Acknowledged);
    Known { ended: set, open: open.iter().copied().collect(), sent: sent.map(|(at, _)| (*at, SENT_HEIGHT)).collect() }
}

/// What the source committed, answered for all that a round asks for.
fn answer(round: &Round, committed: &[u64], acknowledged: &[u64]) -> Proven {
    let asked = round.unknown.iter().chain(&round.open);
    Proven {
        height: HEIGHT,
        committed: asked.map(|sequence| (*sequence, committed.contains(sequence))).collect(),
        acknowledged: round.unacknowledged.iter().copied().filter(|sequence| acknowledged.contains(sequence)).collect(),
    }
}

#[test]
fn the_difference_is_what_the_table_says() {
    use Progress::{Acknowledged, Closing, Sent};
    let check = |known: Known, (committed, acked): (&[u64], &[u64]), expect: (&[u64], &[u64], &[u64])| {
        let mut sweep = Sweep::default();
        let round = sweep.round(&known, None);
        let got = sweep.difference(&known, &round, &answer(&round, committed, acked));
        assert_eq!(
            (&got.missed[..], &got.ended[..], &got.acknowledged[..]),
            expect,
            "{known:?} {committed:?} {acked:?}"
        );
    };
    check(known(&[], &[]), (&[], &[]), (&[], &[], &[]));
    check(known(&[], &[]), (&[1, 3], &[]), (&[1, 3], &[], &[]));
    check(known(&[1, 2], &[(4, Sent)]), (&[3, 4, 5], &[]), (&[3, 5], &[], &[]));
    check(known(&[1], &[(2, Sent), (3, Sent)]), (&[3], &[]), (&[], &[2], &[]));
    check(known(&[], &[(1, Sent), (2, Sent), (3, Acknowledged)]), (&[1, 2, 3], &[2, 3]), (&[], &[], &[2]));
    check(known(&[], &[(1, Sent)]), (&[], &[1]), (&[], &[1], &[]));
    check(known(&[], &[(1, Acknowledged), (2, Closing)]), (&[], &[]), (&[], &[1], &[]));
    check(known(&[1, 2, 3], &[]), (&[], &[]), (&[], &[], &[]));
}

#[test]
fn what_could_not_be_proven_is_asked_for_again() {
    let known = known(&[], &[(5, Progress::Sent)]);
    let mut sweep = Sweep::default();
    for _ in 0..3 {
        let round = sweep.round(&known, None);
        assert!((1..=4).all(|sequence| round.unknown.contains(&sequence)) && round.open == [5], "{round:?}");
        assert_eq!(sweep.difference(&known, &round, &Proven::default()), Difference::default());
    }
}

#[test]
fn what_ended_without_us_is_asked_for_once() {
    let known = known(&[7], &[]);
    let mut sweep = Sweep::default();
    let round = sweep.round(&known, None);
    let below = |round: &Round| round.unknown.iter().copied().filter(|sequence| *sequence < 7).collect::<Vec<_>>();
    assert_eq!(below(&round), [6, 5, 4, 3, 2, 1]);
    let _ = sweep.difference(&known, &round, &answer(&round, &[3], &[]));
    let round = sweep.round(&known, None);
    assert_eq!(below(&round), [3], "its body is missing");
    let _ = sweep.difference(&known, &round, &answer(&round, &[], &[]));
    assert_eq!(below(&sweep.round(&known, None)), [] as [u64; 0]);
    // What is still to come is asked for every time.
    assert_eq!(sweep.round(&known, None).unknown, (8..=7 + AHEAD).rev().collect::<Vec<_>>());
    assert_eq!(sweep.done.len(), 1);
}

/// What the set of ended sequences has forgotten over its bound is asked for once more, and what was open among it is
/// found.
#[test]
fn what_the_set_of_ended_sequences_forgot_is_swept() {
    let count = crate::engine::limits::CLOSED_GAPS_MAX as u64 + 2;
    let mut ended = SequenceSet::default();
    // Every second one has ended; of the others one is open, and unknown here since its event was missed.
    (1..=count).for_each(|number| ended.insert(2 * number));
    assert!(!ended.contains(2) && !ended.contains(4), "forgotten");
    let committed = [3];
    let known = Known { ended, ..Known::default() };
    let mut sweep = Sweep::default();
    // Each round asks for what is next to come, and for as much of the past, from the newest down.
    let rounds = count / (UNKNOWN_MAX as u64 - AHEAD) + 2;
    let found = (0..rounds).find_map(|_| {
        let round = sweep.round(&known, None);
        let difference = sweep.difference(&known, &round, &answer(&round, &committed, &[]));
        difference.missed.contains(&3).then_some(difference)
    });
    assert_eq!(found.expect("it is found").missed, [3]);
    assert!(sweep.done.contains(2) && sweep.done.contains(4) && !sweep.done.contains(3), "proven to have ended");
}

/// Found in review: a packet that was received before the source's proven head had come to its sending made all that were
/// sent before it, and after that head, count as ended for ever.
#[test]
fn what_was_sent_after_the_proven_state_does_not_count_as_ended() {
    let check = |known: Known, expect: &[u64]| {
        let mut sweep = Sweep::default();
        let round = sweep.round(&known, None);
        let _ = sweep.difference(&known, &round, &answer(&round, &[], &[]));
        let round = sweep.round(&known, None);
        let later = Proven { height: HEIGHT + 1, ..answer(&round, &[3, 4, 6], &[]) };
        assert_eq!(sweep.difference(&known, &round, &later).missed, expect, "{known:?}");
    };
    let by_ack = known(&[1, 2], &[(5, Progress::Acknowledged)]);
    check(by_ack.clone(), &[3, 4, 6]);
    check(Known { sent: BTreeMap::from([(5, HEIGHT + 1)]), ..by_ack.clone() }, &[3, 4, 6]);
    // One that was sent by then shows that those before it were.
    check(Known { sent: BTreeMap::from([(5, HEIGHT)]), ..by_ack }, &[6]);
}

#[test]
fn what_the_scan_brings_meanwhile_is_no_difference() {
    let before = known(&[], &[(1, Progress::Sent), (2, Progress::Sent)]);
    let mut sweep = Sweep::default();
    let round = sweep.round(&before, None);
    let difference = sweep.difference(&before, &round, &answer(&round, &[1, 2, 3, 4, 5], &[1, 2]));
    assert_eq!((&difference.missed[..], &difference.acknowledged[..]), (&[3, 4, 5][..], &[1, 2][..]));
    let after = known(&[5], &[(1, Progress::Acknowledged), (2, Progress::Sent), (3, Progress::Sent)]);
    let left = sweep.left(&after, difference);
    assert_eq!((&left.missed[..], &left.acknowledged[..]), (&[4][..], &[2][..]));
}

#[test]
fn a_packet_that_nobody_can_carry_is_left_out() {
    let known = known(&[], &[]);
    let mut sweep = Sweep::default();
    let round = sweep.round(&known, None);
    let missed = sweep.difference(&known, &round, &answer(&round, &[1, 2], &[])).missed;
    assert_eq!(missed, [1, 2]);
    sweep.leave_out(1);
    sweep.found(2);
    let round = sweep.round(&known, None);
    assert_eq!(sweep.difference(&known, &round, &answer(&round, &[1, 2], &[])).missed, [2]);
}

#[test]
fn the_count_of_the_chain_only_says_how_far_to_look() {
    let check = |said: Option<u64>, top: u64| {
        let mut sweep = Sweep::default();
        let known = known(&[1, 2, 3], &[]);
        let first = sweep.round(&known, said);
        let (mut highest, mut more) = (first.unknown.iter().copied().max(), first.more);
        // The rest comes in the rounds that follow.
        while more {
            let round = sweep.round(&known, said);
            highest = round.unknown.into_iter().max().max(highest);
            more = round.more;
        }
        assert_eq!(highest, Some(top), "{said:?}");
        assert_eq!(first.unknown.first(), Some(&(3 + AHEAD)), "what comes next is asked for in any case, {said:?}");
    };
    check(None, 3 + AHEAD);
    check(Some(0), 3 + AHEAD);
    check(Some(3), 3 + AHEAD);
    check(Some(100), 100 + AHEAD);
    check(Some(u64::MAX), 3 + SAID_AHEAD_MAX + AHEAD);
    // A count that is too high is not believed later: what it led to is asked for again once it can have been sent.
    let known = known(&[1, 2, 3], &[]);
    let mut sweep = Sweep::default();
    let round = sweep.round(&known, Some(500));
    let _ = sweep.difference(&known, &round, &answer(&round, &[], &[]));
    let round = sweep.round(&known, Some(4));
    assert_eq!(sweep.difference(&known, &round, &answer(&round, &[4], &[])).missed, [4]);
}

#[test]
fn rounds_are_bounded_and_go_on_where_the_last_one_stopped() {
    let open: Vec<(u64, Progress)> = (1..=1_300).map(|sequence| (sequence, Progress::Sent)).collect();
    let known = known(&[9_000], &open);
    let mut sweep = Sweep::default();
    let mut asked = Vec::new();
    let mut rounds = 0;
    loop {
        let round = sweep.round(&known, None);
        assert!(
            round.open.len() <= OPEN_MAX && round.unknown.len() <= UNKNOWN_MAX,
            "{} {}",
            round.open.len(),
            round.unknown.len()
        );
        asked.extend(round.open.iter().copied());
        let all: Vec<u64> = open.iter().map(|(sequence, _)| *sequence).collect();
        let more = sweep.difference(&known, &round, &answer(&round, &all, &[])).more;
        rounds += 1;
        if rounds == 3 {
            assert_eq!(asked, all, "each once, in order");
        }
        if !more {
            break;
        }
    }
    // 7,699 unknown ones below the newest, and those ahead of it.
    assert_eq!(rounds, 9);
    assert_eq!(sweep.done.len(), 1);
}

/// A small generator of numbers that follow from a seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn one_of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        let place = usize::try_from(self.below(N as u64)).unwrap();
        choices[place]
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Of a packet: whether it is committed, whether it is acknowledged on the destination, and what is known of it.
#[derive(Clone, Copy, Debug)]
struct Truth {
    committed: bool,
    acknowledged: bool,
    known: Option<Option<Progress>>,
    /// The height of the source at which it was sent.
    sent_height: u64,
}

fn world(draw: &mut Draw) -> BTreeMap<u64, Truth> {
    let count = draw.below(400);
    // What comes after this was sent after the state that is proven first.
    let first = draw.below(2 * count + 1);
    let truth = |draw: &mut Draw, sequence: u64| {
        let late = sequence > first;
        let known = match draw.below(4) {
            0 => None,
            1 => Some(Some(Progress::Sent)),
            2 => Some(Some(draw.one_of([Progress::Acknowledged, Progress::Closing]))),
            // Only what is not committed any more can be known to have ended, and only once it was proven.
            _ if late => None,
            _ => Some(None),
        };
        let committed = known != Some(None) && draw.below(3) > 0;
        let sent_height = if late { HEIGHT + 1 } else { SENT_HEIGHT };
        Truth { committed, acknowledged: draw.below(2) == 0, known, sent_height }
    };
    (1..=count).map(|sequence| (sequence, truth(draw, sequence))).collect()
}

/// What is known of a world. Where an acknowledgement is known, the sending was not seen.
fn known_in(world: &BTreeMap<u64, Truth>) -> Known {
    let mut known = Known::default();
    for (sequence, truth) in world {
        match truth.known {
            Some(None) => known.ended.insert(*sequence),
            Some(Some(progress)) => {
                known.open.insert(*sequence, progress);
                if progress == Progress::Sent {
                    known.sent.insert(*sequence, truth.sent_height);
                }
            }
            None => {}
        }
    }
    known
}

/// Whatever the world, however the chain counts and whatever cannot be proven at first: in the end exactly the
/// difference has been found, and then nothing of the past is asked for any more.
#[test]
fn any_world_is_found_to_be_what_it_is() {
    let mut kinds = [0usize; 3];
    for seed in 0..120 {
        let mut draw = Draw(seed);
        let world = world(&mut draw);
        let newest = world.len() as u64;
        let said = draw.one_of([None, Some(0), Some(newest), Some(u64::MAX)]);
        let known = known_in(&world);
        // Without a count, only those that follow the known ones closely can be found.
        if said.unwrap_or_default() < newest && known.newest() + AHEAD < newest {
            continue;
        }
        let (mut sweep, mut found) = (Sweep::default(), [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()]);
        for looks in 0..40 {
            // The source's head comes to the late ones in the course of time.
            let height = if looks < 5 { HEIGHT } else { HEIGHT + 1 };
            let round = sweep.round(&known, said);
            let mut proven = Proven { height, ..Proven::default() };
            for sequence in round.unknown.iter().chain(&round.open) {
                // One in eight cannot be proven this time.
                if draw.below(8) > 0 {
                    let committed = |truth: &Truth| truth.committed && truth.sent_height <= height;
                    proven.committed.insert(*sequence, world.get(sequence).is_some_and(committed));
                }
            }
            let acknowledged = |sequence: &&u64| world.get(*sequence).is_some_and(|truth| truth.acknowledged);
            proven.acknowledged = round.unacknowledged.iter().filter(acknowledged).copied().collect();
            let mut difference = sweep.difference(&known, &round, &proven);
            // A job looks at what is open once more, in a state that is late enough.
            difference.ended.retain(|sequence| world[sequence].sent_height <= height);
            for (all, new) in found.iter_mut().zip([difference.missed, difference.ended, difference.acknowledged]) {
                all.extend(new);
            }
        }
        let expected = |wanted: fn(&Truth) -> bool| {
            world.iter().filter(|(_, truth)| wanted(truth)).map(|(sequence, _)| *sequence).collect::<BTreeSet<_>>()
        };
        assert_eq!(found[0], expected(|truth| truth.committed && truth.known.is_none()), "missed, seed {seed}");
        assert_eq!(
            found[1],
            expected(|truth| {
                !truth.committed && matches!(truth.known, Some(Some(Progress::Sent | Progress::Acknowledged)))
            }),
            "ended, seed {seed}"
        );
        assert_eq!(
            found[2],
            expected(|truth| truth.committed && truth.acknowledged && truth.known == Some(Some(Progress::Sent))),
            "acknowledged, seed {seed}"
        );
        let newest_sent = sweep.sent_in(&known, &Proven { height: HEIGHT + 1, ..Proven::default() });
        let past = sweep.round(&known, said).unknown.into_iter().filter(|sequence| *sequence <= newest_sent);
        assert_eq!(past.collect::<BTreeSet<_>>(), found[0], "only missing bodies are asked for again, seed {seed}");
        for (count, all) in kinds.iter_mut().zip(&found) {
            *count += all.len();
        }
    }
    assert!(kinds.iter().all(|count| *count > 300), "{kinds:?}");
}
