//! Runs a world from its plan to its end, and says what was wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use catenary_core::bugs::{self, Bug};
use catenary_light_clients::{Hash32, Timestamp};
use catenary_node::platform::{self, simulation};
use catenary_protocol::{ics20, proto};
use prost::Message;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::chain::{Chain, Mishaps, Spec, UserCall, PRICE, START_SECONDS};
use super::check::Fates;
use super::operator::{self, attestor_address, Keys, CHAINS};
use super::plan::{Plan, OPERATORS};
use super::rng::Rng;
use super::tx;
use super::world::{lock, World};

/// Milliseconds of a step of the driver.
const STEP_MS: u64 = 100;
/// Blocks in a row that ask for one price.
const DEAR_BLOCKS: u64 = 8;
/// Milliseconds between two looks whether it is at rest.
const LOOK_MS: u64 = 500;
/// Milliseconds that a world has to come to rest once everything goes right and the last deadline has passed.
const REST_MS: u64 = 240_000;

/// What came of a world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    pub(crate) violations: Vec<String>,
    /// Faults that did happen, and how often.
    pub(crate) happened: BTreeMap<&'static str, u64>,
    /// Digest of the trace, and its lines.
    pub(crate) digest: (Hash32, u64),
    pub(crate) tail: Vec<String>,
    /// Commits that each member's journal has made.
    pub(crate) commits: Vec<u64>,
    pub(crate) packets: usize,
    /// How often a packet began to wait for an on-chain client.
    pub(crate) waits: u64,
    pub(crate) virtual_ms: u64,
}

/// Runs a world on this thread; the same plan always gives the same report.
pub(crate) fn run(plan: &Plan, bug: Option<Bug>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime with a clock only");
    bugs::set(bug);
    let report = runtime.block_on(async {
        let _world = simulation::install(Timestamp::from_seconds(START_SECONDS), plan.seed);
        let (world, keys) = build(plan);
        let hooked = world.clone();
        simulation::on_commit(Rc::new(move |path: &Path, at: simulation::Commit| hooked.at_commit(path, at)));
        Driver::new(world, keys).run().await
    });
    bugs::set(None);
    report
}

fn specs(plan: &Plan) -> [Spec; 2] {
    let attestors =
        |chain| (0..OPERATORS).map(move |member| format!("0x{}", hex::encode(attestor_address(member, chain))));
    let (clients, heights) = (["attestations-0", "attestations-1"], [1, 1_001]);
    let sets = if plan.large_sets { [4, 3] } else { [1, 1] };
    [0, 1].map(|index| Spec {
        name: CHAINS[index],
        first_height: heights[index],
        validators: sets[index],
        client_id: clients[index],
        other_client_id: clients[1 - index],
        other_first_height: heights[1 - index],
        attestors: attestors(1 - index).collect(),
        threshold: plan.threshold,
        confirmations: plan.confirmations[index],
        refuses_redundant: index == 1,
        replaces: index == 0,
    })
}

fn build(plan: &Plan) -> (Arc<World>, &'static Keys) {
    let [a, b] = specs(plan);
    let chains = [Chain::new(a, &[("alice", "uant", 1_000_000)]), Chain::new(b, &[("bob", "ubee", 1_000_000)])];
    let configs = [chains[0].config(), chains[1].config()];
    let keys = operator::keys(plan.large_sets, &configs);
    (World::new(plan.clone(), chains), keys)
}

struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

struct Driver {
    world: Arc<World>,
    keys: &'static Keys,
    rng: Rng,
    running: Vec<Option<Running>>,
    /// When a dead member starts again.
    restart_ms: Vec<u64>,
    next_block_ms: [u64; 2],
    /// When users send, and from which chain.
    transfers: Vec<(u64, usize)>,
}

impl Driver {
    fn new(world: Arc<World>, keys: &'static Keys) -> Self {
        let plan = &world.plan;
        let mut rng = Rng::of(plan.seed, "driver");
        let mut transfers: Vec<(u64, usize)> =
            (0..plan.transfers).map(|_| (rng.range(500, plan.transfers_ms), rng.below(2))).collect();
        transfers.sort_unstable();
        let (next_block_ms, running) = (plan.block_ms, (0..OPERATORS).map(|_| None).collect());
        Self { world, keys, rng, running, restart_ms: vec![0; OPERATORS], next_block_ms, transfers }
    }

    async fn run(mut self) -> Report {
        for member in 0..self.world.plan.running {
            self.keys.install(member, &self.world.members[member].dir);
            self.start(member);
        }
        let mut resting_since = None;
        loop {
            platform::sleep(Duration::from_millis(STEP_MS)).await;
            let now = simulation::elapsed_ms();
            if self.world.is_faulty() && now >= self.world.plan.faults_ms {
                self.world.note("everything goes right again");
                self.world.faults.store(false, Ordering::Relaxed);
                simulation::set_skew_ms(0);
            }
            self.jump_clock(now);
            self.send_transfers(now);
            self.make_blocks(now);
            self.tend_members(now).await;
            if !self.world.violations().is_empty() {
                break;
            }
            if !now.is_multiple_of(LOOK_MS) {
                continue;
            }
            if !self.world.is_faulty() && self.is_at_rest() {
                // A while longer, so that what would still go wrong does.
                let since = *resting_since.get_or_insert(now);
                if now > since + 3_000 {
                    break;
                }
            } else {
                resting_since = None;
            }
            if now > self.world.plan.faults_ms + self.world.plan.timeout_seconds.1 * 1_000 + REST_MS {
                self.not_at_rest();
                break;
            }
        }
        self.finish().await
    }

    fn start(&mut self, member: usize) {
        let state = &self.world.members[member];
        state.life.fetch_add(1, Ordering::Relaxed);
        state.alive.store(true, Ordering::Relaxed);
        self.world.note(format!("member {member} starts"));
        let stop = CancellationToken::new();
        let task = tokio::spawn(operator::live(self.world.clone(), self.keys, member, stop.clone()));
        self.running[member] = Some(Running { task, stop });
    }

    fn jump_clock(&self, now: u64) {
        if !self.world.is_faulty() {
            return;
        }
        if let Some((_, skew_ms)) = self.world.plan.clock.iter().rev().find(|(at, _)| *at <= now) {
            self.world.happened("clock jumps");
            simulation::set_skew_ms(*skew_ms);
        }
    }

    fn send_transfers(&mut self, now: u64) {
        while let Some((_, from)) = self.transfers.first().copied().filter(|(at, _)| *at <= now) {
            self.transfers.remove(0);
            let call = self.transfer(from);
            self.world.chain(from).calls.push_back(call);
        }
    }

    fn transfer(&mut self, from: usize) -> UserCall {
        let (low, high) = self.world.plan.timeout_seconds;
        let timeout_timestamp = World::now_seconds() + self.rng.range(low, high);
        let client = self.world.chain(from).spec.client_id;
        let users = ["alice", "bob"];
        let native = ["uant", "ubee"];
        // Some go back where they came from, if anything came; some to an address that takes nothing.
        let denom = if self.rng.chance(250) {
            ics20::ibc_denom(&format!("transfer/{client}/{}", native[1 - from]))
        } else {
            native[from].to_owned()
        };
        let receiver = if self.rng.chance(150) { "x" } else { users[1 - from] };
        let message = proto::MsgTransfer {
            source_port: ics20::PORT.into(),
            source_channel: client.into(),
            token: Some(proto::Coin { denom, amount: self.rng.range(1, 500).to_string() }),
            sender: users[from].into(),
            receiver: receiver.into(),
            timeout_height: None,
            timeout_timestamp,
            memo: String::new(),
            encoding: ics20::ENCODING_ABI.into(),
        };
        let message = proto::Any { type_url: proto::MSG_TRANSFER.into(), value: message.encode_to_vec() };
        UserCall { signer: users[from].into(), message }
    }

    fn make_blocks(&mut self, now: u64) {
        for index in [0, 1] {
            if now < self.next_block_ms[index] {
                continue;
            }
            self.next_block_ms[index] = now + self.world.plan.block_ms[index];
            let mishaps = self.mishaps(index);
            let mut chain = self.world.chain(index);
            let before = chain.tip_height();
            chain.make_block(World::now_seconds(), &mishaps);
            let tip = chain.tip();
            let busy = !tip.events.is_empty() || !tip.receipts.is_empty() || mishaps.reorganised > 0;
            let line = format!(
                "block {} of {index}: {} events, {} transactions, {}",
                tip.header.number,
                tip.events.len(),
                tip.receipts.len(),
                tip.hash
            );
            let replaced = tip.header.number <= before;
            drop(chain);
            if busy || replaced {
                self.world.note(line);
                self.world.check_chains();
            }
        }
    }

    /// What the next block of the first chain asks for: more than usual, in some stretches of blocks.
    fn price(&self, index: usize) -> u64 {
        let plan = &self.world.plan;
        if index == 1 || plan.chains.dear == 0 {
            return 0;
        }
        let stretch = self.world.chain(index).tip_height() / DEAR_BLOCKS;
        let mut rng = Rng::of(plan.seed, &format!("price {stretch}"));
        if rng.chance(plan.chains.dear) {
            rng.range(PRICE + 1, PRICE * 3)
        } else {
            0
        }
    }

    fn mishaps(&mut self, index: usize) -> Mishaps {
        let faults = self.world.plan.chains;
        if !self.world.is_faulty() {
            return Mishaps::default();
        }
        let mut chain = self.world.chain(index);
        if self.rng.chance(faults.dropped) {
            if let Some(hash) = chain.drop_one() {
                self.world.happened("a pool forgets");
                self.world.note(format!("the pool of {index} forgets {hash}"));
            }
        }
        drop(chain);
        let foreign = self.rng.chance(faults.foreign).then(|| {
            let member = self.rng.below(OPERATORS);
            operator::account(member, index)
        });
        if let Some(account) = &foreign {
            self.world.happened("nonce used elsewhere");
            self.world.note(format!("somebody uses a nonce of {} on {index}", tx::text(account)));
        }
        let reorganised = if self.rng.chance(faults.reorganised) { self.rng.range(1, 3) } else { 0 };
        let price = self.price(index);
        let rival = self.rng.chance(faults.rival);
        if reorganised > 0 && faults.reorganised > 0 && self.world.plan.confirmations[index] > 0 {
            self.world.happened("blocks replaced");
        }
        if rival {
            self.world.happened("a rival is faster");
        }
        Mishaps { rival, foreign, reorganised, price }
    }

    /// Buries the dead and starts them again when their time has come.
    async fn tend_members(&mut self, now: u64) {
        for member in 0..self.world.plan.running {
            if self.world.members[member].alive.load(Ordering::Relaxed) {
                continue;
            }
            if let Some(Running { task, .. }) = self.running[member].take() {
                task.abort();
                let _ = task.await;
                lock(&self.world.members[member].state).services = [None, None];
                let commits = self.world.members[member].commits.load(Ordering::Relaxed);
                let crashes = &self.world.plan.crashes;
                let crash = crashes.iter().find(|crash| crash.operator == member && crash.commit == commits);
                self.restart_ms[member] = now + crash.map_or(1_000, |crash| crash.down_ms);
            }
            // What was still on its way between members holds on to the dead process's files for a moment.
            let is_gone = self.world.ledger(member).is_none();
            if now >= self.restart_ms[member] && is_gone {
                self.world.lose_unflushed(member);
                self.start(member);
            }
        }
    }

    /// Every packet has ended on the chains, and every member knows how.
    fn is_at_rest(&self) -> bool {
        if !self.transfers.is_empty() || [0, 1].iter().any(|index| !self.world.chain(*index).calls.is_empty()) {
            return false;
        }
        let fates = self.world.fates();
        let all_final = fates.iter().all(|((source, _), fate)| {
            let upto = self.world.chain(*source).final_height();
            fate.ended_by(upto)
        });
        let packets: Vec<(usize, u64)> = fates.keys().copied().collect();
        all_final
            && (0..self.world.plan.running).all(|member| {
                let stages = operator::stages(&self.world, member, &packets);
                stages.is_some_and(|stages| stages.values().all(|stage| stage == "acknowledged" || stage == "refunded"))
            })
    }

    fn not_at_rest(&self) {
        let fates = self.world.fates();
        let packets: Vec<(usize, u64)> = fates.keys().copied().collect();
        let open: Vec<_> = fates.iter().filter(|(_, fate)| !fate.ended_by(u64::MAX)).map(|(key, _)| *key).collect();
        let known: Vec<String> = (0..self.world.plan.running)
            .map(|member| {
                let stages = operator::stages(&self.world, member, &packets).unwrap_or_default();
                let lacking = stages.into_iter().filter(|(_, stage)| stage != "acknowledged" && stage != "refunded");
                format!("member {member}: {:?}", lacking.collect::<Vec<_>>())
            })
            .collect();
        self.world.violated("not at rest", format!("open on the chains {open:?}; {}", known.join("; ")));
    }

    /// Stops the members as a person would, and compares what they have written down with the truth.
    async fn finish(mut self) -> Report {
        let fates = self.world.fates();
        if self.world.violations().is_empty() {
            for member in 0..self.world.plan.running {
                self.compare(member, &fates);
            }
        }
        for running in self.running.iter_mut().filter_map(Option::take) {
            running.stop.cancel();
            if self.world.violations().is_empty() {
                let stopped = platform::within(Duration::from_secs(300), running.task).await;
                if stopped.is_none() {
                    self.world.violated("stop", "a member does not stop");
                }
            } else {
                running.task.abort();
                let _ = running.task.await;
            }
        }
        Report {
            violations: self.world.violations(),
            happened: self.world.all_that_happened(),
            digest: self.world.digest(),
            tail: self.world.tail(),
            commits: self.world.members.iter().map(|member| member.commits.load(Ordering::Relaxed)).collect(),
            waits: self.world.waits.load(Ordering::Relaxed),
            packets: fates.len(),
            virtual_ms: simulation::elapsed_ms(),
        }
    }

    fn compare(&self, member: usize, fates: &Fates) {
        let Some(ledger) = self.world.ledger(member) else { return };
        match ledger.check() {
            Ok(differences) if differences.is_empty() => {}
            other => self.world.violated("store check", format!("member {member}: {other:?}")),
        }
        self.world.check_outcomes(member);
        match ledger.open_packets("ant-bee") {
            Ok(open) if open.is_empty() => {}
            other => self.world.violated("leaked packet", format!("member {member}: {other:?}")),
        }
        let packets: Vec<(usize, u64)> = fates.keys().copied().collect();
        for (key, stage) in operator::stages(&self.world, member, &packets).unwrap_or_default() {
            let fate = &fates[&key];
            let is_success =
                !fate.acknowledged.is_empty() && !fate.received.iter().any(|(_, ack)| ack.is_universal_error());
            let expected = if is_success { "acknowledged" } else { "refunded" };
            if stage != expected {
                self.world
                    .violated("false end", format!("member {member}: packet {key:?} is {stage}, truth {expected}"));
            }
        }
    }
}
