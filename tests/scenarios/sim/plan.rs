//! What happens in a world: how it is built and what goes wrong in it, all drawn from the seed.

use super::rng::Rng;

/// Operators of every world.
pub(crate) const OPERATORS: usize = 3;

/// Where in a commit of its journal an operator dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Where {
    /// Nothing of the commit is written.
    Before,
    /// All of it is durable, and nobody has acted on it.
    After,
    /// A part of it is on the disk.
    Torn,
    /// All of it is durable, and then the disk is lost with everything on it but the keys.
    Lost,
}

/// The death of an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Crash {
    pub(crate) operator: usize,
    /// Which commit since the world began, from 1.
    pub(crate) commit: u64,
    pub(crate) at: Where,
    /// How long it stays down.
    pub(crate) down_ms: u64,
}

/// What an endpoint does wrong, in thousandths of its answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct EndpointFaults {
    /// Longest time to an answer.
    pub(crate) latency_ms: u64,
    /// Requests, or answers, that are lost.
    pub(crate) loss: u64,
    /// Most blocks that it is behind, now and then.
    pub(crate) stale_blocks: u64,
    /// Answers that are lies.
    pub(crate) lies: u64,
    /// Stretches of some seconds in which nothing is answered.
    pub(crate) down: u64,
    /// Transactions that it does not take, although others do: its pool has rules of its own.
    pub(crate) refuses: u64,
}

impl EndpointFaults {
    /// Whether it says what is so, as it was seen last.
    pub(crate) const fn is_truthful(&self) -> bool {
        self.lies == 0 && self.stale_blocks == 0
    }

    /// One of several: honest, or with some faults of its own.
    fn one_of_several(rng: &mut Rng) -> Self {
        let mut faults = Self { latency_ms: [60, 80, 400, 1_500][rng.below(4)], ..Self::default() };
        match rng.below(6) {
            0 => faults.lies = rng.range(20, 400),
            1 => faults.stale_blocks = rng.range(1, 12),
            2 => faults.loss = rng.range(20, 400),
            3 => faults.down = rng.range(50, 700),
            4 => faults.refuses = rng.range(50, 700),
            _ => {}
        }
        faults
    }
}

/// A disk that takes no writes for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadDisk {
    pub(crate) operator: usize,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    /// Writes go, and nothing of them can be flushed; else it is full.
    pub(crate) flush_fails: bool,
}

/// What happens to requests between members, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct PeerFaults {
    pub(crate) loss: u64,
    /// Requests that take seconds.
    pub(crate) slow: u64,
    /// Requests that arrive twice.
    pub(crate) twice: u64,
    /// Answers that are lies.
    pub(crate) lies: u64,
    /// Requests for which there is no room at once.
    pub(crate) busy: u64,
}

/// What happens on the chains, in thousandths of the blocks or transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ChainFaults {
    /// Transactions that the pool forgets.
    pub(crate) dropped: u64,
    /// Transactions that wait for some blocks.
    pub(crate) late: u64,
    /// Blocks before which somebody else uses an operator's nonce.
    pub(crate) foreign: u64,
    /// Blocks in which a competing relayer is faster.
    pub(crate) rival: u64,
    /// Blocks before which some that are not final are replaced.
    pub(crate) reorganised: u64,
    /// Stretches of some blocks that ask for a higher price.
    pub(crate) dear: u64,
    /// Replacements of which somebody's pool keeps the old version as well.
    pub(crate) kept: u64,
}

/// A world's plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Validators of either chain: one each, or the large sets.
    pub(crate) large_sets: bool,
    pub(crate) block_ms: [u64; 2],
    pub(crate) confirmations: [u64; 2],
    /// Operators that run; the others are down for the whole time.
    pub(crate) running: usize,
    /// Signatures that the clients require.
    pub(crate) threshold: usize,
    /// Transfers that users make, and within which time.
    pub(crate) transfers: usize,
    pub(crate) transfers_ms: u64,
    /// Shortest and longest time to arrive.
    pub(crate) timeout_seconds: (u64, u64),
    pub(crate) chunk: usize,
    pub(crate) job_items: usize,
    /// Most open packets that a member holds.
    pub(crate) open_max: usize,
    /// When everything goes right again.
    pub(crate) faults_ms: u64,
    /// Of the first endpoint of each member and chain.
    pub(crate) endpoints: EndpointFaults,
    /// Of the others.
    pub(crate) more_endpoints: Vec<EndpointFaults>,
    /// Keys that each member sends with on a chain: one in each life.
    pub(crate) keys: usize,
    /// On the first chain, what no block takes for so long is replaced at a higher price.
    pub(crate) replace_after_ms: Option<u64>,
    /// On the second chain, transactions of one key on their way.
    pub(crate) in_flight: usize,
    pub(crate) disks: Vec<BadDisk>,
    /// How often members ask both chains for what no event told.
    pub(crate) sweep_seconds: Option<u64>,
    pub(crate) peers: PeerFaults,
    pub(crate) chains: ChainFaults,
    pub(crate) crashes: Vec<Crash>,
    /// Endpoints say that the second chain's client is frozen, until everything goes right again.
    pub(crate) frozen: bool,
    /// When the members' clocks jump, and by how much they are wrong then.
    pub(crate) clock: Vec<(u64, i64)>,
}

impl Plan {
    /// A world in which nothing goes wrong.
    pub(crate) fn calm(seed: u64) -> Self {
        Self {
            seed,
            large_sets: false,
            block_ms: [1_000, 2_000],
            confirmations: [0, 0],
            running: OPERATORS,
            threshold: 2,
            transfers: 6,
            transfers_ms: 8_000,
            timeout_seconds: (300, 600),
            chunk: 4,
            job_items: 8,
            open_max: catenary_core::engine::limits::OPEN_PACKETS_MAX,
            faults_ms: 10_000,
            endpoints: EndpointFaults { latency_ms: 60, ..EndpointFaults::default() },
            more_endpoints: Vec::new(),
            keys: 1,
            replace_after_ms: None,
            in_flight: 1,
            disks: Vec::new(),
            sweep_seconds: None,
            peers: PeerFaults::default(),
            chains: ChainFaults::default(),
            crashes: Vec::new(),
            frozen: false,
            clock: Vec::new(),
        }
    }

    /// A world in which anything may go wrong. Shorter than those that were drawn first: what is found, is found early,
    /// and there is time for more worlds.
    pub(crate) fn random(seed: u64) -> Self {
        let mut plan = Self::drawn(seed);
        plan.faults_ms = plan.faults_ms / 2 + 2_000;
        plan.transfers_ms = plan.transfers_ms.min(plan.faults_ms * 2 / 3);
        for (at, _) in &mut plan.clock {
            *at /= 2;
        }
        plan.and_more()
    }

    /// What was not drawn at first; from a generator of its own, so that what was is drawn as before.
    fn and_more(mut self) -> Self {
        let mut rng = Rng::of(self.seed, "more");
        if rng.chance(450) {
            let more = rng.range(1, 2);
            self.more_endpoints = (0..more).map(|_| EndpointFaults::one_of_several(&mut rng)).collect();
        }
        self.endpoints.down = if rng.chance(200) { rng.range(20, 300) } else { 0 };
        self.endpoints.refuses = if rng.chance(200) { rng.range(20, 300) } else { 0 };
        self.sweep_seconds = rng.chance(300).then(|| rng.range(5, 40));
        self.peers.busy = if rng.chance(300) { rng.range(20, 400) } else { 0 };
        self.keys = if rng.chance(300) { 2 } else { 1 };
        self.in_flight = if rng.chance(500) { 4 } else { 1 };
        if rng.chance(600) {
            self.replace_after_ms = Some(rng.range(2_000, 8_000));
            self.chains.dear = if rng.chance(700) { rng.range(50, 500) } else { 0 };
            self.chains.kept = if rng.chance(500) { rng.range(50, 700) } else { 0 };
        }
        if rng.chance(350) {
            for _ in 0..rng.range(1, 3) {
                let (operator, from_ms) = (rng.below(OPERATORS), rng.range(200, self.faults_ms));
                let (to_ms, flush_fails) = (from_ms + rng.range(100, 6_000), rng.chance(400));
                self.disks.push(BadDisk { operator, from_ms, to_ms, flush_fails });
            }
        }
        self
    }

    /// The faults of each endpoint of a member and chain.
    pub(crate) fn all_endpoints(&self) -> impl Iterator<Item = EndpointFaults> + '_ {
        std::iter::once(self.endpoints).chain(self.more_endpoints.iter().copied())
    }

    /// Whether nobody has a reason to believe what is not so, or not any more.
    pub(crate) fn is_truthful(&self) -> bool {
        self.all_endpoints().all(|endpoint| endpoint.is_truthful())
    }

    /// A world of the kind that was drawn first, which found the first seeds that have found something.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut rng = Rng::of(seed, "plan");
        let mut plan = Self::calm(seed);
        // Each fault is there in some worlds and not in others, so that one that hides another does not hide it always.
        let some = |rng: &mut Rng, most: u64| if rng.chance(450) { rng.range(1, most) } else { 0 };
        plan.large_sets = rng.chance(80);
        plan.confirmations = [some(&mut rng, 3), some(&mut rng, 2)];
        plan.transfers = rng.below(9) + 2;
        plan.transfers_ms = rng.range(2_000, 25_000);
        plan.timeout_seconds = if rng.chance(400) { (12, 60) } else { (60, 600) };
        plan.chunk = rng.below(4) + 1;
        plan.job_items = rng.below(8) + 1;
        plan.faults_ms = rng.range(20_000, 45_000);
        plan.endpoints = EndpointFaults {
            latency_ms: if rng.chance(300) { 1_500 } else { 80 },
            loss: some(&mut rng, 150),
            stale_blocks: some(&mut rng, 6),
            lies: some(&mut rng, 120),
            ..EndpointFaults::default()
        };
        plan.peers = PeerFaults {
            loss: some(&mut rng, 300),
            slow: some(&mut rng, 300),
            twice: some(&mut rng, 300),
            lies: some(&mut rng, 150),
            ..PeerFaults::default()
        };
        plan.chains = ChainFaults {
            dropped: some(&mut rng, 250),
            late: some(&mut rng, 300),
            foreign: some(&mut rng, 60),
            rival: some(&mut rng, 250),
            reorganised: some(&mut rng, 200),
            ..ChainFaults::default()
        };
        if rng.chance(650) {
            for _ in 0..rng.range(1, 4) {
                plan.crashes.push(Crash {
                    operator: rng.below(OPERATORS),
                    commit: rng.range(1, 60),
                    at: [Where::Before, Where::After, Where::Torn][rng.below(3)],
                    down_ms: rng.range(100, 12_000),
                });
            }
        }
        if rng.chance(250) {
            for _ in 0..rng.range(1, 3) {
                let skews = [-30_000, -8_000, 8_000, 60_000, 3_600_000];
                plan.clock.push((rng.range(1_000, plan.faults_ms), skews[rng.below(skews.len())]));
            }
            plan.clock.sort_unstable();
        }
        plan
    }
}
