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
    /// While a delivery waits for a block that takes its price, so that it is replaced at a higher one.
    Replacement,
    /// When it is asked to stop.
    Stop,
    /// While a native client is looked after, with nothing to relay.
    Refresh,
    /// While a native client is led to validators that it does not know.
    Bisection,
    /// While a chain of a native path misbehaves.
    Misbehaviour,
    /// In `catenary path create`.
    PathCreate,
    /// In `catenary transfer send`.
    TransferSend,
    /// In `catenary keys new`.
    KeysNew,
    /// While transfers are relayed by a node with small segments and a short memory of what has ended.
    Keeping,
    /// The same, of one that removes old segments.
    Forgetting,
    /// In `catenary store backup`, while transfers are relayed.
    Backup,
    /// In `catenary store restore`.
    Restore,
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

    /// Whether it is about how the journal is kept, which needs a node with a journal of many segments.
    #[must_use]
    pub const fn is_keeping(&self) -> bool {
        matches!(self.when, When::Keeping | When::Forgetting | When::Backup | When::Restore)
    }

    /// Whether it is run between two chains whose clients judge by validators.
    #[must_use]
    pub const fn is_native(&self) -> bool {
        matches!(self.when, When::Refresh | When::Bisection | When::Misbehaviour)
    }
}

use When::{
    Backup, Bisection, Forgetting, Keeping, KeysNew, Misbehaviour, PathCreate, Refresh, Replacement, Restore, Start,
    StartWithDamagedStore, Stop, Traffic, TransferSend,
};

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
    // A transaction that no block takes at its price.
    Row::new(
        "replace.signed",
        Replacement,
        "a replacement that is not journaled was never broadcast: the first one stands",
    ),
    Row::new("replace.journaled", Replacement, "a journaled replacement and the first one are both looked for"),
    Row::new("replace.broadcast", Replacement, "whichever version is in a block is the outcome, once"),
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
    Row::new("sweep.proven", Start, "what a sweep had proven is proven again"),
    // Native clients.
    Row::new("client.known", Refresh, "heights that a client knows and that are not noted are read again"),
    Row::new("refresh.sending", Refresh, "a refresh that was not sent is due still"),
    Row::new("refresh.sent", Refresh, "a refresh that took effect is not repeated before it is due"),
    Row::new("update.sending", Bisection, "a step that was not sent is taken again from what the client knows"),
    Row::new("update.sent", Bisection, "a step that took effect is what the next one begins from"),
    Row::new("misbehaviour.seen", Misbehaviour, "what was seen and not journaled freezes when it is seen again"),
    Row::new(
        "misbehaviour.journaled",
        Misbehaviour,
        "what is journaled freezes, with its evidence, without being seen",
    ),
    Row::new("misbehaviour.sending", Misbehaviour, "evidence that was not shown is shown at the next start"),
    Row::new("misbehaviour.sent", Misbehaviour, "evidence that was shown is not shown twice"),
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
    // A segment is followed by the next.
    Row::new("rotate.begin", Keeping, "a segment that is full is followed by the next one later"),
    Row::new("disk.half", Keeping, "half of a new segment has no name, and means nothing"),
    Row::new("disk.beside", Keeping, "a new segment that has no name yet is made again"),
    Row::new("disk.named", Keeping, "a new segment seals the one before it, whether or not anything is in it"),
    Row::new("rotate.done", Keeping, "a segment without a commit is gone on with"),
    // A checkpoint is made.
    Row::new("checkpoint.begin", Keeping, "a segment that was begun for a checkpoint needs none"),
    Row::new("checkpoint.folded", Keeping, "the store that a checkpoint is folded in is cleared away"),
    Row::new("checkpoint.half", Keeping, "half of a checkpoint has no name, and is cleared away"),
    Row::new("checkpoint.beside", Keeping, "a checkpoint that has no name yet is made again"),
    Row::new("checkpoint.written", Keeping, "a checkpoint that the journal does not confirm is not used"),
    Row::new("checkpoint.recorded", Keeping, "a checkpoint that is confirmed is one"),
    // What ended long ago leaves the store.
    Row::new("prune.decided", Keeping, "what was not journaled has not gone"),
    Row::new("prune.folded", Keeping, "a store that lacks half of what goes has it folded again"),
    Row::new("prune.recorded", Keeping, "what is journaled has gone, and stays known to have ended"),
    // Old segments go.
    Row::new("forget.segment", Forgetting, "segments go from the oldest on, and a checkpoint stands for them"),
    Row::new("forget.checkpoints", Forgetting, "checkpoints that a newer one replaces go later"),
    // A backup is taken.
    Row::new("copy.half", Backup, "half of a copied file has no name"),
    Row::new("copy.beside", Backup, "a copied file that has no name yet is copied again"),
    Row::new("copy.segment", Backup, "the backup before it is as good as it was"),
    Row::new("backup.copied", Backup, "a backup whose copy was not checked has no manifest that says so"),
    Row::new("disk.beside", Backup, "a manifest that has no name yet is written again").pass(2),
    Row::new("backup.done", Backup, "a backup is one although nobody was told"),
    // And put back.
    Row::new("copy.segment", Restore, "a journal that is half copied has no place in the data directory").pass(2),
    Row::new("restore.made", Restore, "a journal that does not say that it was put back is none"),
    Row::new("restore.recorded", Restore, "a journal that was not moved to its place is made again"),
    Row::new("restore.moved", Restore, "a journal in its place is whole, and its store is folded at the start"),
    Row::new("restore.done", Restore, "what was put back is there although nobody was told"),
];
