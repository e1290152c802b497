//! The one runner: ends alpha at a row's point, starts it again, and looks what became of every packet.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catenary_tests::consortium::{unix_ms, Asset, Consortium, ConsortiumOptions, End, NetworkKind, Operator, Order};
use catenary_tests::localnet::{seed_of, wait_until, LocalnetError};

use super::memory::Memory;
use super::table::{Row, When};

/// Generous for loaded machines; nothing here waits for a fixed time.
pub const DEADLINE: Duration = Duration::from_secs(180);
/// Transfers of each direction that are sent at once.
const EACH_WAY: usize = 2;
/// The same where a journal is to grow.
const MANY_EACH_WAY: usize = 5;
/// Destination blocks before the next in turn sends: time enough for alpha to come back, often.
const TURN_BLOCKS: u64 = 12;
/// What alpha pays for gas on the EVM devnet, in wei, so that it can be too little.
const BID_WEI: u128 = 1_000;
/// What the configuration of the EVM chain begins with.
const FREE: &str = "gas_price = \"0\"\n";
/// Longest time between a transfer and a random kill, in milliseconds: about the life of a packet.
const RANDOM_MS: u64 = 2_500;

/// Three operators with traffic, of which alpha is ended again and again.
pub struct Rig {
    /// Networks, operators and users.
    pub consortium: Consortium,
    /// When alpha was started last, in milliseconds since 1970, and where its log began then.
    started: (u64, u64),
    first_sends_ms: Vec<u64>,
    kills: usize,
    begun: Instant,
    /// Transactions that alpha's journal held before it was lost.
    pub remembered: BTreeSet<(String, String)>,
    /// Alpha forgets packets that have ended, and what its journal began with.
    pub forgets: bool,
}

/// Says how to run what failed alone: the variables that choose it, and the test.
struct Running {
    variables: String,
    test: &'static str,
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { variables, test } = self;
            eprintln!("\nthis alone: {variables} cargo test -p catenary-tests --test crash -- {test}");
        }
    }
}

impl Rig {
    /// Starts networks and operators.
    pub fn start(networks: NetworkKind) -> Self {
        let options = ConsortiumOptions {
            networks,
            turn_delay_blocks: Some(TURN_BLOCKS),
            turn_bucket_sequences: Some(1),
            ..ConsortiumOptions::default()
        };
        let begun = Instant::now();
        let consortium = Consortium::start(&options).unwrap();
        if consortium.evm_devnet().is_some() {
            let alpha = &consortium.operators[0];
            let text = std::fs::read_to_string(alpha.config_file()).unwrap();
            let bids = format!("gas_price = \"{BID_WEI}\"\ngas_price_max_wei = 1000000\nreplace_after = \"1s\"\n");
            assert!(text.contains(FREE), "{text}");
            alpha.configure(&text.replacen(FREE, &bids, 1)).unwrap();
        }
        eprintln!("crash: set up in {:.1} s", begun.elapsed().as_secs_f64());
        Self {
            consortium,
            started: (0, 0),
            first_sends_ms: Vec::new(),
            kills: 0,
            begun: Instant::now(),
            remembered: BTreeSet::new(),
            forgets: false,
        }
    }

    /// Gives alpha a line of `[limits]`, from its next start on.
    pub fn limit(&mut self, line: &str) {
        let text = std::fs::read_to_string(self.alpha().config_file()).unwrap();
        let limited = text.replacen("[limits]\n", &format!("[limits]\n{line}\n"), 1);
        assert_ne!(text, limited, "there is a section of limits");
        self.alpha().configure(&limited).unwrap();
    }

    fn running(&self, variables: String) -> Running {
        let test = match (self.consortium.quorum(), self.forgets) {
            (Some(_), _) => "on_the_real",
            (None, false) => "at_any_point",
            (None, true) => "kept_small_or_copied",
        };
        Running { variables, test }
    }

    /// The operator that is ended.
    pub fn alpha(&mut self) -> &mut Operator {
        &mut self.consortium.operators[0]
    }

    /// Journal and store of an operator.
    pub fn data_dir(&self, member: usize) -> PathBuf {
        self.consortium.operators[member].dir().join("data")
    }

    /// Ends alpha as a row says, and looks at what it left.
    pub fn run(&mut self, row: &Row) {
        let _running = self.running(format!("CATENARY_CRASH='{}'", row.name()));
        let begun = Instant::now();
        if let Some(first) = row.after {
            self.end_at(first, 1, When::Traffic);
        }
        self.end_at(row.point, row.pass, row.when);
        // What it left, opened as it would open it; of a copy, so that the recovery is left to the process.
        let memory = Memory::of_copy(&self.data_dir(0));
        assert!(memory.faults.is_empty(), "{}: {:#?}", row.name(), memory.faults);
        self.nothing_twice(&row.name());
        eprintln!("crash: {:<28} {:>4.1} s  {}", row.name(), begun.elapsed().as_secs_f64(), row.holds);
    }

    /// Starts alpha, armed, and waits until it has ended at the point.
    fn end_at(&mut self, point: &str, pass: u32, when: When) {
        self.alpha().kill();
        if when == When::StartWithDamagedStore {
            self.damage_store();
        }
        if when == When::Replacement {
            // Alpha bids less than blocks take, and the others bid nothing.
            self.send(EACH_WAY);
            self.blocks_take(BID_WEI + 1);
        }
        self.start_alpha(Some(&format!("{point}:{pass}")));
        match when {
            When::Stop => {
                self.alpha().wait_ready(DEADLINE).unwrap();
                self.send(EACH_WAY);
                self.alpha().terminate();
            }
            When::Traffic => self.traffic_until_dead(point, EACH_WAY),
            When::Keeping | When::Forgetting => self.traffic_until_dead(point, MANY_EACH_WAY),
            _ => {}
        }
        self.alpha().wait_dead(DEADLINE).unwrap();
        if when == When::Replacement {
            self.blocks_take(0);
        }
        self.kills += 1;
        let log = self.log_since_start();
        self.measure(&log);
        let words = format!("failpoint {point}: the process ends here");
        let tail: Vec<&str> = log.lines().rev().take(30).collect();
        assert!(
            log.contains(&words),
            "alpha ended elsewhere than at {point}; its log, last line first:\n{}",
            tail.join("\n")
        );
    }

    /// Starts alpha, to be ended at a point when one is given.
    pub fn start_alpha(&mut self, failpoint: Option<&str>) {
        let log = self.alpha().log_file();
        self.started = (now_ms(), std::fs::metadata(log).map_or(0, |log| log.len()));
        self.alpha().start(failpoint).unwrap();
    }

    /// What alpha has logged since its start.
    pub fn log_since_start(&self) -> String {
        let mut log = std::fs::File::open(self.consortium.operators[0].log_file()).unwrap();
        log.seek(SeekFrom::Start(self.started.1)).unwrap();
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Notes how long after its start alpha began its first job, when it got that far.
    fn measure(&mut self, log: &str) {
        let job = |line: &&str| line.contains("job starts") && !line.contains("kind=\"confirm\"");
        let time = log.lines().find(job).and_then(|line| unix_ms(line.split_whitespace().next()?));
        self.first_sends_ms.extend(time.and_then(|time| time.checked_sub(self.started.0)));
    }

    /// Sends transfers both ways, in blocks when this returns.
    pub fn send(&mut self, each: usize) {
        let orders = vec![Order::of(3); each];
        let evm = self.consortium.broadcast(Asset::Erc20, &orders).unwrap();
        let cosmos = self.consortium.broadcast(Asset::Native, &orders).unwrap();
        self.consortium.included(evm).unwrap();
        self.consortium.included(cosmos).unwrap();
    }

    /// Transfers, until alpha has ended: it leads for some of them.
    fn traffic_until_dead(&mut self, point: &str, each: usize) {
        let begun = Instant::now();
        while self.alpha().check().is_ok() {
            assert!(begun.elapsed() < DEADLINE, "alpha never came to {point}");
            self.send(each);
            let consortium = &mut self.consortium;
            let done = || {
                let dead = consortium.operators[0].check().is_err();
                Ok((dead || open(consortium)?.is_empty()).then_some(()))
            };
            let waited = wait_until("that alpha dies or all has ended", DEADLINE, done);
            waited.unwrap_or_else(|error| panic!("{error}; open: {:?}", open(&mut self.consortium)));
        }
    }

    /// The lowest price that blocks of the EVM devnet take.
    fn blocks_take(&self, wei: u128) {
        self.consortium.evm_devnet().expect("a devnet").set_price_min(wei);
    }

    /// Damages every file of alpha's store.
    fn damage_store(&self) {
        for entry in std::fs::read_dir(self.data_dir(0).join("store")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::write(path, vec![0xa5; 5_000]).unwrap();
            }
        }
    }

    /// No packet was delivered or ended twice, and value is where it must be, at any moment.
    pub fn nothing_twice(&mut self, step: &str) {
        for (key, passage) in self.consortium.passages().unwrap() {
            assert!(passage.received.len() <= 1, "{step}: {key} was received twice: {:?}", passage.received);
            assert!(passage.ended.len() <= 1, "{step}: {key} ended twice: {:?}", passage.ended);
        }
        self.consortium.conserved().unwrap_or_else(|error| panic!("{step}: {error}"));
    }

    /// All operators run, and every packet ends: received once, acknowledged once.
    pub fn settle(&mut self, step: &str) {
        self.alpha().kill();
        self.start_alpha(None);
        self.consortium.wait_ready(DEADLINE).unwrap();
        self.all_end(step);
        let log = self.log_since_start();
        self.measure(&log);
    }

    /// Waits until every packet has ended: received once, acknowledged once.
    pub fn all_end(&mut self, step: &str) {
        let consortium = &mut self.consortium;
        let waited = wait_until("the end of every packet", DEADLINE, || {
            consortium.operators.iter().try_for_each(Operator::check)?;
            Ok(open(consortium)?.is_empty().then_some(()))
        });
        waited.unwrap_or_else(|error| {
            let words: String = self.consortium.operators.iter().map(Operator::last_words).collect();
            panic!("{step}: {error}; open: {:?}\n{words}", open(&mut self.consortium))
        });
        for (key, passage) in self.consortium.passages().unwrap() {
            let taken: Vec<bool> = passage.received.iter().map(|(_, taken)| *taken).collect();
            let ends: Vec<End> = passage.ended.iter().map(|(_, end)| *end).collect();
            assert_eq!((taken, ends), (vec![true], vec![End::Acknowledged]), "{step}: {key}");
        }
        self.consortium.conserved().unwrap_or_else(|error| panic!("{step}: {error}"));
    }

    /// Kills at moments that follow from a seed: any operator, some of them again while it recovers.
    pub fn random(&mut self, rounds: u64, seed: u64) {
        let _running = self.running(format!("CATENARY_CRASH=random CATENARY_CRASH_SEED={seed}"));
        for round in 0..rounds {
            let draws = draws(seed, round);
            let victim = usize::try_from((draws[0] % 2 + round) % 3).unwrap();
            let orders = vec![Order::of(3); EACH_WAY];
            let sent = self.consortium.broadcast(Asset::Native, &orders).unwrap();
            let also = self.consortium.broadcast(Asset::Erc20, &orders).unwrap();
            let mut moments = vec![draws[1] % RANDOM_MS];
            if draws[2].is_multiple_of(2) {
                moments.push(draws[3] % RANDOM_MS);
            }
            for moment in &moments {
                // The moment of the kill is what is drawn.
                std::thread::sleep(Duration::from_millis(*moment));
                self.consortium.operators[victim].kill();
                self.kills += 1;
                self.consortium.operators[victim].start(None).unwrap();
            }
            self.consortium.included(sent).unwrap();
            self.consortium.included(also).unwrap();
            self.nothing_twice(&format!("random round {round} of seed {seed}"));
            eprintln!(
                "crash: round {round} of seed {seed}: {} killed after {moments:?} ms",
                self.consortium.operators[victim].id
            );
        }
    }

    /// The last word: every operator knows every end, stops in order, and its journal holds nothing that may not be and
    /// every transaction of its keys that is in a block.
    pub fn verdict(&mut self) {
        let _running = self.running(String::new());
        self.settle("at the end");
        let packets = self.consortium.passages().unwrap().len();
        for operator in self.consortium.operators.iter().skip(usize::from(self.forgets)) {
            let knows = || Ok((terminal(operator)? == packets).then_some(()));
            let what = format!("that {} knows the ends of {packets} packets", operator.id);
            wait_until(&what, DEADLINE, knows).unwrap_or_else(|error| panic!("{error}: {:?}", terminal(operator)));
        }
        let deliveries = self.consortium.deliveries().unwrap();
        self.consortium.operators.iter_mut().for_each(Operator::stop);
        let mut signed = BTreeMap::new();
        for member in 0..self.consortium.operators.len() {
            let memory = Memory::read(&self.data_dir(member));
            let id = &self.consortium.operators[member].id;
            assert!(memory.faults.is_empty(), "{id}: {:#?}", memory.faults);
            assert_eq!(memory.truncated_bytes, 0, "{id} stopped in order");
            eprintln!(
                "crash: {id}: {} starts, {} attestations, {} transactions",
                memory.starts,
                memory.attestations,
                memory.intents.len()
            );
            signed.insert(member, memory.intents);
        }
        signed.entry(0).or_default().extend(std::mem::take(&mut self.remembered));
        for delivery in &deliveries.0 {
            let member = self.consortium.member_of_signer(&delivery.signer).unwrap();
            if member == 0 && self.forgets {
                continue;
            }
            let known = signed[&member].contains(&(delivery.chain.to_owned(), delivery.tx.clone()));
            assert!(known, "{} is in a block of {} and in no journal of its signer", delivery.tx, delivery.chain);
        }
        self.report(packets, deliveries.messages(), deliveries.redundant());
    }

    fn report(&mut self, packets: usize, messages: usize, redundant: usize) {
        self.first_sends_ms.sort_unstable();
        let at = |share: usize| {
            let last = self.first_sends_ms.len().saturating_sub(1);
            self.first_sends_ms.get(last * share / 100).copied().unwrap_or_default()
        };
        eprintln!(
            "crash: {} kills in {:.0} s; {packets} packets acknowledged once each; {messages} messages in blocks, {redundant} of them redundant\n\
             crash: first job after a start, transfers sent meanwhile included: {} ms median, {} ms at most, of {} starts",
            self.kills,
            self.begun.elapsed().as_secs_f64(),
            at(50),
            at(100),
            self.first_sends_ms.len()
        );
    }
}

/// Packets that were sent and have not ended on their source, by the chains.
pub fn open(consortium: &mut Consortium) -> Result<Vec<String>, LocalnetError> {
    let passages = consortium.passages()?;
    Ok(passages.into_iter().filter(|(_, passage)| passage.ended.is_empty()).map(|(key, _)| key).collect())
}

/// How many packets have ended, as an operator knows it.
fn terminal(operator: &Operator) -> Result<usize, LocalnetError> {
    let ended = |stage: &str| matches!(stage, "acknowledged" | "refunded");
    Ok(operator.packets()?.iter().filter(|packet| packet["stage"].as_str().is_some_and(ended)).count())
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Four numbers that follow from a seed and a round.
fn draws(seed: u64, round: u64) -> [u64; 4] {
    let bytes = seed_of(&format!("crash {seed} {round}"));
    [0, 8, 16, 24].map(|from| u64::from_be_bytes(bytes[from..from + 8].try_into().unwrap()))
}
