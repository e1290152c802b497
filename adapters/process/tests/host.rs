//! The host against plugins that lie, hang, die and flood: what comes of it is a typed error of that chain alone.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catenary_adapter_process::{check, ProcessAdapter, ProcessConfig};
use catenary_api::limits::{SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{
    Account, Broadcast, BuildRequest, Call, ChainSink, ChainSource, Error, PublicKey, Search, SearchKind, SignedTx,
    TxBody, TxHash, UnsignedTx,
};
use catenary_light_clients::{Class, Hash32};
use tempfile::TempDir;

/// The example `hostile`, which cargo builds with the tests.
fn hostile() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join("examples/hostile");
    assert!(path.exists(), "run the tests of the whole package, so that cargo builds {}", path.display());
    path
}

struct Rig {
    folder: TempDir,
    config: ProcessConfig,
}

const MANIFEST: &str = r#"
    name = "hostile"
    version = "1"
    protocol = 1
    capabilities = ["source", "sink"]
    executable = "EXECUTABLE"
    [resources]
    memory_bytes = 2147483648
    open_files = 64
    cpu_seconds = 3600
    file_bytes = 0
    [transactions]
    tx_bytes_max = 2000
    gas_max = 1000
    messages_max = 10
    message_bytes_fixed = 100
    message_bytes_percent = 200
"#;

impl Rig {
    fn new(executable: &Path, mode: &str, manifest: impl Fn(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.toml");
        let text = MANIFEST.replace("EXECUTABLE", &executable.display().to_string());
        std::fs::write(&path, manifest(text)).unwrap();
        let marker = folder.path().join("marker").display().to_string();
        let config = ProcessConfig {
            chain: "north".to_owned(),
            chain_id: "hostile-1".to_owned(),
            urls: vec!["http://user:secret@127.0.0.1:9".to_owned()],
            settings: vec![("mode".to_owned(), mode.to_owned()), ("marker".to_owned(), marker)],
            manifest: path,
            sha256: Hash32::sha256(&[&std::fs::read(executable).unwrap()]),
            call_deadline_ms: 30_000,
        };
        Self { folder, config }
    }

    fn mode(mode: &str) -> Self {
        Self::new(&hostile(), mode, |text| text)
    }

    fn script(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut rig = Self::new(&path, "", |text| text);
        rig.folder = folder;
        let manifest = rig.folder.path().join("manifest.toml");
        std::fs::write(&manifest, MANIFEST.replace("EXECUTABLE", "script")).unwrap();
        rig.config.manifest = manifest;
        rig
    }

    fn open(&self) -> ProcessAdapter {
        ProcessAdapter::new(self.config.clone()).unwrap()
    }
}

const KEY: PublicKey = PublicKey([2; 33]);

async fn build(adapter: &ProcessAdapter) -> Result<UnsignedTx, Error> {
    let call = Call { to: Some([1; 20]), type_url: String::new(), data: vec![1], summary: "a call".to_owned() };
    let body = TxBody::Call(vec![call]);
    let account = Account { address: "me".to_owned(), number: 1, nonce: 2, balance: "12".to_owned() };
    adapter.build(BuildRequest { body: &body, public_key: &KEY, account: &account, nonce: 2 }).await
}

fn unsigned() -> UnsignedTx {
    UnsignedTx { digest: Hash32([9; 32]), payload: vec![1], nonce: 2, gas_limit: 10, size_bytes: 100 }
}

fn signed() -> SignedTx {
    SignedTx { bytes: vec![1], hash: TxHash(Hash32([3; 32])) }
}

/// What one call says.
async fn ask(adapter: &ProcessAdapter, call: &str) -> Result<String, Error> {
    let words = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let paths = [b"one".to_vec(), b"two".to_vec()];
    Ok(match call {
        "identity" => words(&adapter.identity().await?),
        "head" => words(&adapter.head().await?),
        "updates" => words(&adapter.updates(3, 5).await?),
        "events" => words(&adapter.events(3, 5).await?),
        "proofs" => words(&adapter.proofs(3, &paths).await?),
        "present" => words(&adapter.present(&paths).await?),
        "client" => words(&adapter.client("client-00").await?),
        "account" => words(&adapter.account(&KEY).await?),
        "address" => words(&adapter.address(&KEY)?),
        "build" => words(&build(adapter).await?),
        "finish" => words(&adapter.finish(&unsigned(), &[1; 65])?),
        "receipt" => words(&adapter.receipt(&signed().hash).await?),
        "broadcast" => match adapter.broadcast(&signed()).await {
            Broadcast::Unknown(error) => return Err(error),
            outcome => words(&outcome),
        },
        other => panic!("no call {other}"),
    })
}

const CALLS: [&str; 13] = [
    "identity",
    "head",
    "updates",
    "events",
    "proofs",
    "present",
    "client",
    "account",
    "address",
    "build",
    "finish",
    "broadcast",
    "receipt",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_plugin_is_an_adapter() {
    let adapter = Rig::mode("honest").open();
    for call in CALLS {
        ask(&adapter, call).await.unwrap();
    }
    assert_eq!(adapter.head().await.unwrap().height, 5);
    assert_eq!(adapter.updates(3, 5).await.unwrap().len(), 3);
    assert_eq!(adapter.proofs(3, &[b"one".to_vec()]).await.unwrap()[0].value.as_deref(), Some(&b"one"[..]));
    assert_eq!(build(&adapter).await.unwrap(), unsigned());
    assert_eq!(adapter.address(&KEY).unwrap(), "me");
    assert_eq!(adapter.limits().tx_bytes_max, 2_000);
}

/// Each lie with the call that it is told in, and what the refusal says.
#[tokio::test(flavor = "multi_thread")]
async fn lies_are_refused_by_their_form() {
    let rows = [
        ("lengths", "identity", "31 bytes, expected 32"),
        ("lengths", "events", "33 bytes, expected 32"),
        ("lengths", "client", "19 bytes, expected 20"),
        ("lengths", "build", "31 bytes, expected 32"),
        ("lengths", "finish", "20 bytes, expected 32"),
        ("lengths", "receipt", "19 bytes, expected 20"),
        ("texts", "identity", "10000 bytes, at most 256"),
        ("texts", "account", "no decimal number"),
        ("counts", "updates", "4 updates, expected 3"),
        ("counts", "proofs", "1 proofs, expected 2"),
        ("counts", "present", "3 flags, expected 2"),
        ("counts", "client", "1000 attestors"),
        ("range", "events", "height 6 where 3..=5"),
        ("order", "events", "height 3 where 5..=5"),
        ("kinds", "events", "kind 77"),
        ("kinds", "broadcast", "OUTCOME_UNSPECIFIED"),
        ("acks", "events", "with 0 acknowledgements"),
        ("acks", "broadcast", "OUTCOME_ACCEPTED with an error"),
        ("acks", "receipt", "a success with the error"),
        ("packets", "events", "packet of an event is missing"),
        ("absent", "proofs", "an absent value of 3 bytes"),
        ("missing", "account", "account is missing"),
        ("missing", "address", "address is missing"),
        ("missing", "build", "tx is missing"),
        ("missing", "broadcast", "OUTCOME_REFUSED without an error"),
        ("missing", "receipt", "fee is missing"),
        ("nonces", "build", "nonce 3, asked for 2"),
        ("gas", "build", "gas limit of 1001"),
        ("sizes", "build", "2001 bytes"),
        ("sizes", "finish", "2001 bytes"),
        ("payloads", "build", "payload of 2001"),
        ("misbehaviour", "head", "an error of class 9"),
        ("extra", "head", "hold more or other than the message"),
        ("extra", "identity", "hold more or other than the message"),
        ("garbage", "head", "do not decode"),
    ];
    let mut modes: Vec<(&str, ProcessAdapter, Rig)> = Vec::new();
    for (mode, call, words) in rows {
        if modes.last().is_none_or(|(last, ..)| *last != mode) {
            let rig = Rig::mode(mode);
            modes.push((mode, rig.open(), rig));
        }
        let (_, adapter, _) = modes.last().unwrap();
        let error = ask(adapter, call).await.unwrap_err();
        assert_eq!((error.code, error.class), ("PROC-010", Class::Transient), "{mode} {call}: {error}");
        assert!(error.message.contains(words), "{mode} {call}: {error}, expected {words:?}");
    }
}

async fn fails(rig: &Rig, call: &str, code: &str, words: &str) -> Error {
    let error = ask(&rig.open(), call).await.unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(words), "{error}, expected {words:?}");
    assert!(!error.message.contains("secret"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_says_itself_is_marked_as_its_word() {
    let error = fails(&Rig::mode("said"), "head", "PROC-009", "the adapter says HST-RPC-001: no answer no").await;
    assert_eq!(error.class, Class::Transient);
    assert!(error.message.len() < 400, "{error}");
    fails(&Rig::mode("status"), "head", "PROC-016", "gRPC status 13: a status instead").await;
    fails(&Rig::mode("unopened"), "head", "PROC-009", "open: the adapter says HST-CFG-001").await;
    fails(&Rig::mode("other"), "head", "PROC-015", "the adapter is honest 1 of protocol 1").await;
    fails(&Rig::mode("oversize"), "updates", "PROC-011", "more than 16777216 bytes").await;
    let refused = Rig::mode("refused").open().broadcast(&signed()).await;
    assert!(matches!(&refused, Broadcast::Refused(error) if error.code == "PROC-009"), "{refused:?}");
    let mismatch = Rig::mode("nonces").open().broadcast(&signed()).await;
    assert!(matches!(&mismatch, Broadcast::NonceMismatch(error) if error.code == "PROC-009"), "{mismatch:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_pinned_executable_is_started() {
    let mut rig = Rig::mode("honest");
    assert_eq!(check(&rig.config).unwrap().name, "hostile");
    rig.config.sha256.0[0] ^= 1;
    assert_eq!(check(&rig.config).unwrap_err().code(), "PROC-002");
    assert_eq!(fails(&rig, "head", "PROC-002", "it is not started").await.class, Class::Config);
    // It is compared at each start, not only at the first.
    let rig = Rig::script("#!/bin/sh\nexit 3\n");
    let adapter = rig.open();
    assert_eq!(ask(&adapter, "head").await.unwrap_err().code, "PROC-005");
    std::fs::write(rig.folder.path().join("script"), "#!/bin/sh\nexit 4\n").unwrap();
    let error = started_again(&adapter).await;
    assert_eq!(error.unwrap_err().code, "PROC-002");
    std::fs::remove_file(rig.folder.path().join("script")).unwrap();
    assert_eq!(check(&rig.config).unwrap_err().code(), "PROC-003");
}

/// The first answer that is not a refusal to start before the wait is over.
async fn started_again(adapter: &ProcessAdapter) -> Result<String, Error> {
    loop {
        match ask(adapter, "head").await {
            Err(error) if error.code == "PROC-006" => tokio::time::sleep(Duration::from_millis(50)).await,
            other => return other,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_dies_is_started_again_after_a_wait() {
    let rig = Rig::mode("die");
    let adapter = rig.open();
    let error = ask(&adapter, "head").await.unwrap_err();
    assert_eq!((error.code, error.class), ("PROC-007", Class::Transient), "{error}");
    // Whether its end is seen with the call or with the next one, it is not started before the wait is over.
    let mut seen = Vec::new();
    while seen.last().is_none_or(|error: &Error| error.code != "PROC-006") {
        seen.push(ask(&adapter, "identity").await.unwrap_err());
        assert!(seen.len() < 100, "{seen:?}");
    }
    assert!(seen.last().unwrap().message.contains("failed 1 times in a row"), "{seen:?}");
    let again = started_again(&adapter).await.unwrap_err();
    assert_eq!(again.code, "PROC-007", "{again}");
    let waiting = loop {
        let error = ask(&adapter, "identity").await.unwrap_err();
        if error.code == "PROC-006" {
            break error;
        }
    };
    assert!(waiting.message.contains("failed 2 times in a row"), "{waiting}");

    let rig = Rig::mode("die-once");
    let adapter = rig.open();
    assert_eq!(ask(&adapter, "head").await.unwrap_err().code, "PROC-007");
    let mut tries = 0;
    while ask(&adapter, "head").await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        tries += 1;
        assert!(tries < 1_000, "it never came back");
    }
    // A broadcast whose plugin died is unknown, whatever became of it.
    let outcome = Rig::mode("die").open().broadcast(&signed()).await;
    assert!(matches!(&outcome, Broadcast::Unknown(error) if error.code == "PROC-007"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_are_no_adapter_are_said_to_be_none() {
    let last = "#!/bin/sh\necho 'no such library' >&2\nexit 3\n";
    fails(&Rig::script(last), "head", "PROC-005", "exit status: 3; its last words: no such library").await;
    fails(&Rig::script("no program at all"), "head", "PROC-004", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_hangs_harms_its_chain_only() {
    let mut rig = Rig::mode("hang");
    rig.config.call_deadline_ms = 1_500;
    let (hanging, honest) = (rig.open(), Rig::mode("honest").open());
    honest.head().await.unwrap();
    let began = std::time::Instant::now();
    let stuck = async { (ask(&hanging, "head").await, ask(&hanging, "broadcast").await) };
    let served = async {
        let mut served = 0;
        while served < 20 {
            honest.head().await.unwrap();
            served += 1;
        }
        began.elapsed()
    };
    let ((head, broadcast), served) = tokio::join!(stuck, served);
    for error in [head.unwrap_err(), broadcast.unwrap_err()] {
        assert_eq!((error.code, error.class), ("PROC-008", Class::Transient), "{error}");
    }
    assert!(served < began.elapsed(), "the other chain was served meanwhile");
    // What only computes has a shorter deadline, and a third call without an answer ends the process.
    let task = tokio::spawn(async move { (ask(&hanging, "finish").await, ask(&hanging, "identity").await) });
    honest.head().await.unwrap();
    let (finish, next) = task.await.unwrap();
    assert_eq!(finish.unwrap_err().code, "PROC-008");
    assert_eq!(next.unwrap_err().code, "PROC-006", "it was killed, and waits for its next start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_floods_is_stopped_by_its_limits() {
    // A log without end: the plugin waits for its reader and nobody for it.
    let adapter = Rig::mode("log").open();
    for _ in 0..20 {
        adapter.head().await.unwrap();
    }
    // Memory: the kernel refuses it.
    let rig = Rig::new(&hostile(), "memory", |text| text.replace("2147483648", "268435456"));
    fails(&rig, "head", "PROC-007", "").await;
    // Processor time: the kernel ends it, within its deadline or by the deadline of the call.
    let rig = Rig::new(&hostile(), "processor", |text| text.replace("cpu_seconds = 3600", "cpu_seconds = 1"));
    fails(&rig, "head", "PROC-007", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_started_ends_with_it() {
    let adapter = Rig::mode("where").open();
    let folder = PathBuf::from(adapter.identity().await.unwrap().chain_id);
    let runs = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut folders = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
        folders.any(|it| it == folder)
    };
    assert!(runs(), "it runs in its own folder");
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else reaches the socket");
    drop(adapter);
    assert!(!folder.exists(), "its folder is gone");
    // The kernel ends it at its leisure.
    while runs() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_computes_is_not_called_where_it_would_block_all() {
    let adapter = Rig::mode("honest").open();
    assert_eq!(adapter.address(&KEY).unwrap_err().code, "PROC-014");
    assert_eq!(adapter.finish(&unsigned(), &[1; 65]).unwrap_err().code, "PROC-014");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_only_reads_refuses_to_write() {
    let reads = |text: String| {
        let (text, _) = text.split_once("[transactions]").unwrap();
        text.replace(", \"sink\"", "")
    };
    let adapter = Rig::new(&hostile(), "honest", reads).open();
    adapter.head().await.unwrap();
    for call in ["account", "address", "build", "finish", "broadcast", "receipt"] {
        let error = ask(&adapter, call).await.unwrap_err();
        assert_eq!((error.code, error.class), ("PROC-013", Class::Config), "{call}: {error}");
    }
    assert_eq!(adapter.limits().messages_max, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_the_bounds_start_nothing() {
    // The executable is not the pinned one: whatever would start it fails otherwise.
    let mut rig = Rig::mode("honest");
    rig.config.sha256 = Hash32([0; 32]);
    let adapter = rig.open();
    let many = vec![vec![1]; 65];
    let errors = [
        adapter.updates(1, 101).await.unwrap_err(),
        adapter.updates(5, 4).await.unwrap_err(),
        adapter.events(0, u64::MAX).await.unwrap_err(),
        adapter.proofs(1, &many).await.unwrap_err(),
        adapter.present(&many).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.code, error.class), ("PROC-012", Class::Permanent), "{error}");
    }
}

/// A search is the manifest's to promise, and what it finds is held against what was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_search_finds_is_what_was_asked_for() {
    assert!(Rig::mode("honest").open().search().is_none(), "an older manifest promises none");
    let open = |mode: &str| {
        let rig = Rig::new(&hostile(), mode, |text| text.replace("\"sink\"]", "\"sink\", \"search\"]"));
        let adapter = rig.open();
        (rig, adapter)
    };
    let (_rig, adapter) = open("honest");
    assert_eq!(adapter.search().unwrap().last_sequence("client-00").await.unwrap(), Some(7));
    let (_rig, adapter) = open("counts");
    assert_eq!(adapter.search().unwrap().last_sequence("client-00").await.unwrap_err().code, "PROC-010");
    // The hostile plugin finds the packet 1 of a client without a name.
    for (mode, client_id, sequences, (from, to), expect) in [
        ("honest", "", &[1, 2][..], (3, 5), Ok(1)),
        ("honest", "client-00", &[1, 2], (3, 5), Err("PROC-010")),
        ("honest", "", &[2], (3, 5), Err("PROC-010")),
        ("range", "", &[1], (3, 5), Err("PROC-010")),
        ("honest", "", &[1; SEARCH_SEQUENCES_MAX + 1], (3, 5), Err("PROC-012")),
        ("honest", "", &[1], (3, 3 + SEARCH_HEIGHTS_MAX), Err("PROC-012")),
        ("honest", "", &[1], (5, 4), Err("PROC-012")),
    ] {
        let (_rig, adapter) = open(mode);
        let search = Search { kind: SearchKind::Sent, client_id, sequences, from, to };
        let found = adapter.search().unwrap().find(&search).await;
        assert_eq!(found.map(|found| found.len()).map_err(|error| error.code), expect, "{mode} {search:?}");
    }
}
