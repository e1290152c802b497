//! The schedule against a walk over all packets: after any events, what is due is what a walk finds.

use super::*;

/// A small generator of numbers that follow from a seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())].clone()
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("below a usize")
    }
}

const LANES: [Lane; 2] = [Lane::Live, Lane::Backlog];

struct World {
    engine: Engine,
    draw: Draw,
    heights: [u64; 2],
    seconds: [u64; 2],
    jobs: Vec<Job>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let own = draw.pick(&["alpha", "beta", "gamma"]);
        let options = Options { job_items_max: 1 + draw.index(6), ..engine(own).options };
        let heights = [1 + draw.below(50), 1_000 + draw.below(50)];
        Self { engine: Engine::new(options), draw, heights, seconds: [900, 900], jobs: Vec::new() }
    }

    fn random_packet(&mut self) -> Packet {
        let mut packet = packet(1 + self.draw.below(30));
        packet.timeout_timestamp_seconds = 900 + 7 * (1 + packet.sequence % 20);
        packet
    }

    fn event(&mut self) -> Event {
        let side = self.draw.pick(&[Side::A, Side::B]);
        let at = Timestamp::from_seconds(1);
        let index = side as usize;
        let behind = self.draw.pick(&[3, 3, 200]);
        let height = self.heights[index].saturating_sub(behind) + self.draw.below(6);
        let packet = self.random_packet();
        let claim = |event| Event::Claim { side, height, event, at };
        match self.draw.below(11) {
            0..=2 => {
                self.heights[index] += 1 + self.draw.below(3);
                self.seconds[index] += self.draw.below(6);
                head(side, self.heights[index], self.seconds[index])
            }
            3..=4 => claim(PacketEvent::Sent(packet)),
            5 => claim(PacketEvent::WroteAck { packet, acknowledgement: ack() }),
            6 => claim(PacketEvent::Acknowledged(packet)),
            7 => Event::Release { key: Key { source: side, sequence: packet.sequence } },
            8 => Event::ClientActive { side },
            _ => self.job_done(height),
        }
    }

    fn job_done(&mut self, height: u64) -> Event {
        if self.jobs.is_empty() {
            return Event::JobDone { job: JobId(u64::MAX), items: Vec::new() };
        }
        let at = self.draw.index(self.jobs.len());
        let job = self.jobs.swap_remove(at);
        let outcomes = [
            ItemOutcome::Delivered { height },
            ItemOutcome::AlreadyDone,
            ItemOutcome::Expired,
            ItemOutcome::StillOpen,
            ItemOutcome::NotAcked,
            ItemOutcome::Closed(Outcome::Acknowledged),
            failure(Class::Transient),
            failure(Class::Permanent),
            blocked(),
        ];
        // Some items go without an answer.
        let answered = job.items.iter().filter(|key| key.sequence % 7 != 0);
        let items = answered.map(|key| (*key, self.draw.pick(&outcomes))).collect();
        Event::JobDone { job: job.id, items }
    }

    fn check(&mut self, seed: u64) {
        let mut walked = self.engine.clone();
        let max = self.engine.options.job_items_max;
        let busy: Vec<(JobKind, Side)> = self.engine.jobs().map(|job| (job.kind, job.to)).collect();
        let mut expected = Vec::new();
        for to in [Side::A, Side::B] {
            let lanes: [&[JobKind]; 3] = [&[JobKind::Timeout], &[JobKind::Ack, JobKind::Recv], &[JobKind::Confirm]];
            for kinds in lanes {
                if kinds.iter().any(|kind| busy.contains(&(*kind, to))) {
                    continue;
                }
                let last = walked.last_lane.get(&(to, kinds[0])).copied();
                let lanes = if last == Some(Lane::Live) { [1, 0] } else { [0, 1] }.map(|at| LANES[at]);
                let all = lanes.into_iter().flat_map(|lane| kinds.iter().map(move |kind| (*kind, lane)));
                let due = all.map(|(kind, lane)| {
                    let keys = walked.due_by_walking(kind, to).into_iter();
                    (kind, keys.filter(|key| walked.packets[key].lane == lane).take(max).collect::<Vec<_>>())
                });
                let first = due.into_iter().find(|(_, keys)| !keys.is_empty());
                expected.extend(first.map(|(kind, keys)| (kind, to, keys)));
            }
        }
        let due = self.engine.due();
        let got: Vec<_> = due.iter().map(|job| (job.kind, job.to, job.items.clone())).collect();
        assert_eq!(got, expected, "seed {seed}");
        assert_eq!(walked.due().len(), due.len(), "seed {seed}: a clone decides the same");
        self.jobs.extend(due);
    }
}

#[test]
fn what_is_due_is_what_a_walk_over_all_packets_finds() {
    let (mut jobs, mut kinds, mut lanes) = (0, std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for seed in 0..300 {
        let mut world = World::new(seed);
        for _ in 0..300 {
            let event = world.event();
            let _ = world.engine.step(event);
            // Not after each event: several heads may come before a look.
            if world.draw.below(3) > 0 {
                let before = world.jobs.len();
                world.check(seed);
                jobs += world.jobs.len() - before;
                kinds.extend(world.jobs.iter().map(|job| job.kind));
                lanes.extend(world.engine.last_lane.values().copied());
            }
        }
        assert_eq!(
            world.engine.schedule.len(),
            world.engine.schedule_of_packets(),
            "seed {seed}: nothing is left over"
        );
    }
    assert!(jobs > 10_000, "{jobs} jobs are too few to show anything");
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert_eq!(lanes.len(), 2, "{lanes:?}");
}
