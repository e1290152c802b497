//! The sweep against whole networks: events that no endpoint shows, bodies that are withheld, nodes that were down while
//! packets were sent, and states that are pruned. Each packet ends, once, and value is conserved.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use catenary_devnet::fault::{lies, Answer, Lie};
use catenary_devnet::wire::RpcError;
use serde_json::{json, Value};

use super::config::{CHAINS, COSMOS, EVM, PATH};
use super::folder::Folder;
use super::setup::World;
use super::show::Show;
use super::transfers::{Asset, End, Order, Transfers};
use super::{books, story, Settings, Stage};
use crate::platform;

/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(600);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Logs are shown to whoever asks for sequences, and to no scan.
fn scan_sees_no_logs() -> Lie {
    lies::about("eth_getLogs", |params, value| {
        let searched = params.pointer("/0/topics/2").is_some();
        Answer::Reply(if searched { value } else { json!([]) })
    })
}

/// Blocks without the events of their transactions.
fn scan_sees_no_results() -> Lie {
    lies::about("block_results", |_, mut value| {
        for result in value["txs_results"].as_array_mut().into_iter().flatten() {
            result["events"] = json!([]);
        }
        Answer::Reply(value)
    })
}

/// No logs for anybody.
fn no_logs() -> Lie {
    lies::about("eth_getLogs", |_, _| Answer::Reply(json!([])))
}

/// States up to a height are gone.
fn pruned(upto: u64) -> Lie {
    let honest = move |params: &Value| {
        let height = params.pointer("/2").and_then(Value::as_str).unwrap_or_default();
        u64::from_str_radix(height.trim_start_matches("0x"), 16).is_ok_and(|height| height > upto)
    };
    lies::about("eth_getProof", move |params, value| {
        if honest(params) {
            Answer::Reply(value)
        } else {
            Answer::Error(RpcError::new(-32000, "missing trie node"))
        }
    })
}

struct Rig {
    stage: Stage,
    world: World,
}

impl Rig {
    async fn start(folder: &Folder) -> Self {
        let transfers = Transfers { rows: Vec::new(), began: platform::monotonic() };
        let mut stage = Stage { show: Show::new(true), operators: Vec::new(), transfers, steps: Vec::new() };
        let settings = Settings { seed: 11, block_interval: Duration::from_millis(500) };
        let world = story::set_up(settings, &mut stage, folder).await;
        let world = world.unwrap_or_else(|| panic!("{:?}", stage.steps));
        let mut rig = Self { stage, world };
        rig.stop().await;
        for operator in &rig.stage.operators {
            let text = std::fs::read_to_string(operator.config_file()).unwrap();
            std::fs::write(operator.config_file(), text.replace("[limits]\n", "[limits]\nsweep_every = \"1s\"\n"))
                .unwrap();
        }
        rig.restart();
        rig
    }

    async fn stop(&mut self) {
        for operator in &mut self.stage.operators {
            operator.stop().await;
        }
    }

    fn restart(&mut self) {
        for operator in &mut self.stage.operators {
            operator.start().unwrap();
        }
    }

    /// Every operator's endpoint on a chain lies in this way; without a lie it tells the truth.
    fn tell(&self, chain: usize, lie: Option<&dyn Fn() -> Lie>) {
        for endpoints in &self.world.networks.endpoints {
            match lie {
                Some(lie) => endpoints[chain].lies().tell(lie()),
                None => endpoints[chain].lies().tell_truth(),
            }
        }
    }

    async fn send(&mut self, asset: Asset, amount: u64) -> usize {
        let number = self.stage.transfers.rows.len() as u64;
        let order = Order::of(asset, amount);
        let row = self.world.customers.send(&order, number, self.stage.transfers.began).await.unwrap();
        self.stage.transfers.rows.push(row);
        self.stage.transfers.rows.len() - 1
    }

    /// Waits until every transfer has ended, each by its acknowledgement.
    async fn all_arrive(&mut self, what: &str) {
        let began = platform::monotonic();
        while self.stage.transfers.open() > 0 {
            assert!(began.elapsed() < DEADLINE, "{what}: {:?}", self.stage.transfers.rows);
            self.stage.transfers.look(&self.stage.operators).await;
            platform::sleep(LOOK).await;
        }
        for row in &self.stage.transfers.rows {
            assert_eq!(row.end, Some(End::Acknowledged), "{what}: {row:?}");
        }
    }

    /// A metric of all operators, of the lines that have this text.
    async fn metric(&self, name: &str, with: &str) -> f64 {
        let mut sum = 0.0;
        for operator in &self.stage.operators {
            let page = operator.metrics().await.unwrap_or_default();
            let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(with));
            sum += lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>();
        }
        sum
    }

    /// Waits until some operator gives a reason with this code and text.
    async fn says(&self, code: &str, text: &str) {
        let began = platform::monotonic();
        loop {
            for operator in &self.stage.operators {
                let reasons =
                    operator.readiness(Some(PATH)).await.map(|readiness| readiness.reasons).unwrap_or_default();
                if reasons.iter().any(|reason| reason.code == code && reason.message.contains(text)) {
                    return;
                }
            }
            assert!(began.elapsed() < DEADLINE, "nobody says {code} {text}");
            platform::sleep(LOOK).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_event_tells_of_is_found_and_ends_once() {
    let folder = Folder::make(None).unwrap();
    let mut rig = Rig::start(&folder).await;

    // Nobody's scan sees anything, on either chain.
    rig.tell(EVM, Some(&scan_sees_no_logs));
    rig.tell(COSMOS, Some(&scan_sees_no_results));
    rig.send(Asset::Erc20, 40).await;
    rig.send(Asset::Native, 70).await;
    rig.all_arrive("withheld events").await;
    for chain in CHAINS {
        assert!(rig.metric("catenary_scan_gaps_total", chain).await >= 1.0, "{chain}");
    }
    assert!(rig.metric("catenary_sweep_found_total", "\"ack\"").await >= 1.0);

    // The body is withheld as well: the sequence is named until it is shown.
    rig.tell(EVM, Some(&no_logs));
    let withheld = rig.send(Asset::Erc20, 50).await;
    let sequence = rig.stage.transfers.rows[withheld].packet.rsplit('/').next().unwrap().to_owned();
    rig.says("NODE-SWP-001", &format!("sequences {sequence};")).await;
    assert_eq!(rig.stage.transfers.open(), 1);
    rig.tell(EVM, Some(&scan_sees_no_logs));
    rig.all_arrive("a withheld body").await;

    // Sent while everybody was down, and no history shows it.
    rig.stop().await;
    rig.send(Asset::Native, 30).await;
    rig.send(Asset::Erc20, 20).await;
    rig.restart();
    rig.all_arrive("sent while down").await;

    // The state of the block that sent it is pruned: it is proven in a newer one, and the scan goes on.
    rig.tell(COSMOS, None);
    let height = rig.world.networks.evm.height();
    let gone = move || pruned(height + 4);
    rig.tell(EVM, Some(&gone));
    rig.send(Asset::Erc20, 10).await;
    rig.all_arrive("a pruned state").await;
    let began = platform::monotonic();
    while rig.metric("catenary_scan_height", "\"evm\"").await < 3.0 * (height + 5) as f64 {
        assert!(began.elapsed() < DEADLINE, "the scan stands still");
        platform::sleep(LOOK).await;
    }

    rig.tell(EVM, None);
    rig.send(Asset::Erc20Voucher, 15).await;
    rig.all_arrive("the truth").await;
    let books = books::read(&rig.world.customers, &rig.world.cosmos, &rig.stage.transfers.rows).await.unwrap();
    assert!(books.iter().all(books::Book::balances), "{books:?}");
    rig.stop().await;
    rig.world.networks.close().await;
    folder.remove();
}
