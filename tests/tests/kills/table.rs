//! Where the process is ended, and what must hold then. A point of the source that is not here fails a test.

/// When a row's point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// While transfers are relayed.
    Traffic,
    /// When the node starts, with nothing to relay but what is there.
    Start,
    /// When the node starts and finds its store damaged.
    StartWithDamagedStore,
    /// When it is asked to stop.
    Stop,
    /// In `catenary path create`.
    PathCreate,
    /// In `catenary transfer send`.
    TransferSend,
    /// In `catenary keys new`.
    KeysNew,
}

/// One kill.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name of the point in the source.
    pub point: &'static str,
    /// The pass of it that ends the process, from one on.
    pub pass: u32,
    /// A point at which the process is ended first, so that this one ends its recovery.
    pub after: Option<&'static str>,
    /// When it is passed.
    pub when: When,
    /// What must hold beside what always must.
    pub holds: &'static str,
    /// Whether it is run on the real networks as well.
    pub on_real_nodes: bool,
}

impl Row {
    const fn new(point: &'static str, when: When, holds: &'static str) -> Self {
        Self { point, pass: 1, after: None, when, holds, on_real_nodes: false }
    }

    /// The pass that ends the process.
    const fn pass(mut self, pass: u32) -> Self {
        self.pass = pass;
        self
    }

    /// A crash before this one.
    const fn after(mut self, point: &'static str) -> Self {
        self.after = Some(point);
        self
    }

    const fn real(mut self) -> Self {
        self.on_real_nodes = true;
        self
    }

    /// What it is called: the point, its pass when it is not the first, and the crash before it.
    #[must_use]
    pub fn name(&self) -> String {
        let pass = if self.pass == 1 { String::new() } else { format!(":{}", self.pass) };
        let after = self.after.map(|point| format!("+{point}")).unwrap_or_default();
        format!("{}{pass}{after}", self.point)
    }

    /// Whether a command is ended, and not the node.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(self.when, When::PathCreate | When::TransferSend | When::KeysNew)
    }
}

use When::{KeysNew, PathCreate, Start, StartWithDamagedStore, Stop, Traffic, TransferSend};

/// Every row, in the order in which they run: the first signature of a key comes once in its life.
pub const ROWS: &[Row] = &[
    // The attestor and the memory of signatures.
    Row::new("sign.first", Traffic, "a key whose first signature is journaled and not marked attests the same again"),
    Row::new("sign.attestation", Traffic, "an attestation that is journaled and did not leave is made again, equal")
        .pass(3),
    Row::new("attestor.state", Traffic, "a state that was signed and not handed out is signed again, equal").pass(2),
    Row::new("attestor.packets", Traffic, "packets that were signed and not handed out are signed again, equal"),
    Row::new(
        "attestor.answer",
        Traffic,
        "a member that dies before it answers a peer delays nobody, and is asked again",
    ),
    Row::new("collector.gathered", Traffic, "signatures that were gathered and not used are gathered again"),
    // A job, from the decision to its end.
    Row::new("scan.taken", Traffic, "blocks that were read and not journaled are read again"),
    Row::new("runner.decided", Traffic, "a decision that is not journaled was not taken").pass(2),
    Row::new("runner.recorded", Traffic, "a decision that is journaled is gone on with").pass(3),
    Row::new("job.screened", Traffic, "a job that had begun is decided again"),
    Row::new("job.collected", Traffic, "attestations without a transaction cost nothing"),
    Row::new("job.sending", Traffic, "a batch that was about to be sent is decided again").pass(2),
    Row::new("job.sent", Traffic, "a batch that was sent and not noted is found on the chain").real(),
    Row::new("job.done", Traffic, "a job whose outcome the engine never heard of is found on the chain").pass(2),
    Row::new("confirm.proven", Traffic, "an end that was proven and not journaled is proven again"),
    // A transaction.
    Row::new("sign.transaction", Traffic, "a nonce that was signed for, and whose transaction nobody has, is released"),
    Row::new("sign.released", Traffic, "a nonce that was released is signed for once").after("signed"),
    Row::new("signed", Traffic, "a signed transaction that is not journaled was never broadcast"),
    Row::new("journaled", Traffic, "a journaled transaction is broadcast as it is").real(),
    Row::new("broadcast", Traffic, "a broadcast transaction is looked up, and no other is made for its nonce").real(),
    Row::new("send.reconcile", Start, "the look-up of an open transaction begins again").after("journaled").real(),
    Row::new("send.seen", Start, "a receipt that was seen and not journaled is read again").after("broadcast"),
    Row::new("send.seen", Traffic, "a receipt that was seen and not journaled is read again").pass(2),
    Row::new("send.settled", Traffic, "a transaction whose outcome is journaled is closed").pass(2),
    // Journal and store.
    Row::new("commit.begin", Traffic, "records that were not written are not remembered").pass(5),
    Row::new("journal.torn", Traffic, "half a commit is cut and reported").pass(4).real(),
    Row::new("journal.cut", Start, "the torn end is cut again, and kept").after("journal.torn"),
    Row::new("journal.written", Traffic, "a commit that was not synced is whole or torn, and never half taken").pass(6),
    Row::new("commit.durable", Traffic, "a commit that the store lacks is folded at the start").pass(4),
    Row::new("start.replay", Start, "the fold of what the store lacks begins again").after("commit.durable"),
    Row::new("commit.folded", Traffic, "a commit that journal and store have is in force").pass(7),
    Row::new("start.aside", StartWithDamagedStore, "a store that is moved aside is made again from the journal"),
    Row::new("client.save", Traffic, "a light client that is not saved goes on from its older state"),
    Row::new("store.blob", Traffic, "a saved light client without its digest in the journal is not taken"),
    // Start and stop.
    Row::new("start.opened", Start, "nothing was written but what the start itself repairs"),
    Row::new("start.recorded", Start, "a start that ends at once leaves its record and nothing else"),
    Row::new("start.connected", Start, "light clients that were restored are restored again"),
    Row::new("start.attesting", Start, "a member that attests before it relays attests the same again"),
    Row::new("start.reconciled", Start, "what was found out about open transactions holds").after("broadcast"),
    Row::new("start.running", Start, "paths that were restored and did nothing are restored again"),
    Row::new("stop.waiting", Stop, "a stop that does not wait for its jobs loses none of them").real(),
    Row::new("stop.done", Stop, "after an orderly end nothing is left to do"),
    // Commands.
    Row::new("path.made", PathCreate, "a contract that was deployed and not noted is found, and not deployed twice"),
    Row::new("path.made", PathCreate, "a client that was created and not noted is found, and not created twice")
        .pass(2),
    Row::new("path.made", PathCreate, "the same for the client on the EVM chain").pass(3),
    Row::new("path.made", PathCreate, "a counterparty that was registered and not noted is not registered twice")
        .pass(4),
    Row::new("path.recorded", PathCreate, "a step that is noted is not done again").pass(2),
    Row::new("broadcast", PathCreate, "a step that was broadcast is looked up before it is decided again")
        .after("path.recorded"),
    Row::new("transfer.allowed", TransferSend, "an allowance moves nothing"),
    Row::new("transfer.sent", TransferSend, "a transfer whose sequence was not printed is a transfer"),
    Row::new("keys.written", KeysNew, "a key file without its entry is replaced"),
    Row::new("keys.index", KeysNew, "an index that was not put in place changes nothing"),
];
