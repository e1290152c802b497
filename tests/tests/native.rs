//! A native path between two CometBFT devnets, set up and run by the program as an operator does it: each chain's
//! client believes the other chain's validators, and nobody attests anything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use catenary_devnet::cometbft::CometFault;
use catenary_tests::native::devnets::{Proxy, Rig, Wish, DENOM};
use catenary_tests::native::{Terms, CHAINS, CLIENT, PATH, SUBSTITUTE};

fn voucher() -> String {
    catenary_tests::native::voucher(DENOM)
}

const EAST: usize = 0;
const WEST: usize = 1;

#[tokio::test(flavor = "multi_thread")]
async fn value_goes_both_ways_and_comes_back_where_it_is_refused_or_late() {
    let mut rig = Rig::start(Wish::default()).await;
    let created = rig.create_path();
    assert_eq!(rig.create_path(), created, "a second run finds every step done");
    let checked = rig.output(&["check", "--online"]);
    let (said, complaints) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{said}\n{complaints}");
    for chain in CHAINS {
        let line = format!("client {CLIENT} on {chain} knows ");
        assert!(said.lines().any(|known| known.contains(&line) && known.contains("verified")), "{said}");
    }

    rig.run().await;
    assert_eq!(rig.transfer(EAST, (DENOM, 500), &[]), "acknowledged");
    assert_eq!((rig.holds(EAST, DENOM), rig.holds(WEST, &voucher())), (999_500, 500));
    assert_eq!(rig.transfer(WEST, (&voucher(), 200), &[]), "acknowledged", "and home again");
    assert_eq!((rig.holds(EAST, DENOM), rig.holds(WEST, &voucher())), (999_700, 300));
    assert_eq!(rig.transfer(WEST, (DENOM, 70), &[]), "acknowledged", "the other chain's own");
    assert_eq!((rig.holds(WEST, DENOM), rig.holds(EAST, &voucher())), (999_930, 70));

    let nobody = ["--receiver", "nobody"];
    assert_eq!(rig.transfer(EAST, (DENOM, 11), &nobody), "refunded", "the other end refuses it");
    // Nearer than the margin within which packets are delivered, so it is late for certain.
    assert_eq!(rig.transfer(WEST, (DENOM, 33), &["--timeout-seconds", "5"]), "refunded", "it was late");
    assert_eq!((rig.holds(EAST, DENOM), rig.holds(WEST, DENOM)), (999_700, 999_930), "nothing is lost");

    let ended = |outcome: &str| {
        rig.metric(&format!("catenary_packets_terminal_total{{outcome=\"{outcome}\",path=\"{PATH}\"}}"))
    };
    assert_eq!((ended("acked"), ended("rejected"), ended("refunded")), (3.0, 1.0, 1.0));
    for chain in CHAINS {
        let client = format!("{chain}/{CLIENT}");
        let status =
            |status: &str| rig.metric(&format!("catenary_client_status{{client=\"{client}\",status=\"{status}\"}}"));
        assert_eq!((status("active"), status("expired"), status("frozen")), (1.0, 0.0, 0.0));
        let period = rig.metric(&format!("catenary_client_trust_period_seconds{{client=\"{client}\"}}"));
        assert_eq!(period, 14.0 * 86_400.0);
        assert!(rig.metric(&format!("catenary_client_expiry_timestamp_seconds{{client=\"{client}\"}}")) > 1.7e9);
        let confirmed = format!("catenary_client_updates_total{{client=\"{client}\",outcome=\"confirmed\"}}");
        assert!(rig.metric(&confirmed) >= 1.0, "{chain}");
    }
}

/// Updates of a chain's on-chain client with this outcome.
fn updates(rig: &Rig, chain: &str, outcome: &str) -> f64 {
    rig.metric(&format!("catenary_client_updates_total{{client=\"{chain}/{CLIENT}\",outcome=\"{outcome}\"}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_none_of_todays_validators_is_led_there_header_by_header() {
    // Changes are followed one by one, so that our own light client needs no person.
    let mut rig = Rig::start(Wish::with(Terms { trust: "churn_limit_permille = 1000", ..Terms::default() })).await;
    rig.create_path();
    for number in 0..6 {
        rig.nets[EAST].set_power(number, 0).unwrap();
        rig.nets[EAST].set_power(number + 4, 10).unwrap();
        // The third block after it is signed by the new set.
        rig.nets[EAST].wait_for_height(rig.nets[EAST].height() + 4).await;
    }
    rig.run().await;
    assert_eq!(rig.transfer(EAST, (DENOM, 500), &[]), "acknowledged");
    assert_eq!(rig.holds(WEST, &voucher()), 500);
    let confirmed = updates(&rig, CHAINS[WEST], "confirmed");
    assert!(confirmed >= 3.0, "{confirmed} updates: some headers between were needed");
    assert_eq!(updates(&rig, CHAINS[WEST], "failed"), 0.0, "none was sent that the chain refuses");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_refreshed_before_they_expire_without_any_packet() {
    let mut rig = Rig::start(Wish::with(Terms { trusting_period: "120s", ..Terms::default() })).await;
    rig.create_path();
    rig.run().await;
    let expiry = |rig: &Rig, chain: &str| {
        rig.metric(&format!("catenary_client_expiry_timestamp_seconds{{client=\"{chain}/{CLIENT}\"}}"))
    };
    rig.until("the clients are looked at", |rig| CHAINS.iter().all(|chain| expiry(rig, chain) > 0.0)).await;
    let first = CHAINS.map(|chain| expiry(&rig, chain));
    rig.until("both are refreshed", |rig| CHAINS.iter().all(|chain| updates(rig, chain, "confirmed") >= 1.0)).await;
    rig.until("and it shows", |rig| CHAINS.iter().zip(first).all(|(chain, first)| expiry(rig, chain) > first)).await;
    assert!(rig.log().contains("client refreshed"), "{}", rig.log());
}

/// A path whose first chain makes its blocks on demand, and misbehaves before the node's eyes; gives the height. The node
/// reads the chain through the proxy, which leads to the honest endpoint again at the end.
async fn misbehaviour(path: &'static str) -> (Rig, Proxy, u64) {
    let terms = Terms { trusting_period: "300s", path, ..Terms::default() };
    let mut rig = Rig::start(Wish { terms, interval: None }).await;
    rig.create_path_mining().await;
    let honest = rig.nets[EAST].url();
    let proxy = Proxy::to(&honest).await;
    rig.urls[EAST].clone_from(&proxy.url);
    rig.write();
    rig.run().await;
    let trusted = |rig: &Rig| rig.metric("catenary_client_trusted_height{client=\"east\"}");
    let standing = rig.nets[EAST].height();
    rig.until("the node is at the head", |rig| trusted(rig) >= standing as f64).await;
    // Both clients have been looked at, so it is known what they know.
    let known = format!("catenary_client_trusted_height{{client=\"west/{CLIENT}\"}}");
    rig.until("the client is known", |rig| rig.metric(&known) > 0.0).await;

    let forged = rig.nets[EAST].fault(CometFault::Equivocate).await.unwrap();
    rig.nets[EAST].mine(1).unwrap();
    rig.until("the node trusts the next header", |rig| trusted(rig) >= forged.height as f64).await;
    proxy.lead_to(&forged.url().unwrap());
    let seen = |rig: &Rig| rig.log().contains("misbehaviour: the evidence is in");
    rig.until("the other header is seen", seen).await;
    proxy.lead_to(&honest);
    (rig, proxy, forged.height)
}

/// Whether the first chain's client on the second one has this status.
fn client_is(rig: &Rig, status: &str) -> bool {
    rig.metric(&format!("catenary_client_status{{client=\"west/{CLIENT}\",status=\"{status}\"}}")) == 1.0
}

fn shown(rig: &Rig, stage: &str) -> f64 {
    rig.metric(&format!("catenary_misbehaviour_total{{client=\"east\",stage=\"{stage}\"}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn misbehaviour_is_kept_and_shown_to_the_client_and_its_path_waits() {
    let (mut rig, _proxy, height) = misbehaviour("submit_misbehaviour = true").await;
    rig.until("the client is frozen", |rig| client_is(rig, "frozen")).await;
    assert_eq!((shown(&rig, "submitted") >= 1.0, shown(&rig, "confirmed")), (true, 1.0));
    let ready = rig.readiness();
    assert!(ready.contains("NODE-MAT-002") && ready.contains("client_frozen"), "{ready}");
    assert!(ready.contains("NODE-CHN-003"), "our own light client is frozen too: {ready}");
    let said = rig.json(&["client", "show"]);
    let east = said.as_array().unwrap().iter().find(|client| client["chain"] == "east").unwrap();
    let found = &east["misbehaviour"][0];
    assert_eq!((&found["height"], &found["code"]), (&height.into(), &"LC-CMT-050".into()), "{said}");
    rig.stop();
    assert_eq!(rig.json(&["client", "show"])[0]["misbehaviour"][0], *found, "also when no node runs");
}

/// The journal alone knows of it: neither the light client's saved state nor the evidence file outlives the restart.
#[tokio::test(flavor = "multi_thread")]
async fn misbehaviour_outlives_a_restart_and_is_shown_once_that_is_chosen() {
    let (mut rig, _proxy, height) = misbehaviour("submit_misbehaviour = false").await;
    let frozen = |rig: &Rig| rig.readiness().contains("NODE-CHN-003");
    rig.until("our light client is frozen", frozen).await;
    let before = rig.nets[WEST].height();
    // Clients of this period are looked at every ten seconds.
    rig.nets[WEST].wait_for_height(before + 120).await;
    assert!(client_is(&rig, "active"), "{}", rig.log());
    assert_eq!(shown(&rig, "submitted"), 0.0, "it was chosen not to show it");

    let kept = rig.dir.path().join("data/evidence");
    for (choice, submits) in [("submit_misbehaviour = false", false), ("submit_misbehaviour = true", true)] {
        rig.stop();
        std::fs::remove_dir_all(&kept).unwrap();
        std::fs::remove_dir_all(rig.dir.path().join("data/store")).unwrap();
        rig.choose(choice);
        rig.run().await;
        rig.until("it is frozen after a start too", frozen).await;
        assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 1, "the evidence is there again");
        let found = rig.json(&["client", "show"])[EAST]["misbehaviour"][0]["height"].clone();
        assert_eq!(found, serde_json::json!(height));
        if submits {
            rig.until("the client is frozen as well", |rig| client_is(rig, "frozen")).await;
            assert_eq!(shown(&rig, "confirmed"), 1.0);
        } else {
            let client = format!("catenary_client_trusted_height{{client=\"west/{CLIENT}\"}}");
            rig.until("the client is looked at", |rig| rig.metric(&client) > 0.0).await;
            assert_eq!(shown(&rig, "submitted"), 0.0);
        }
    }
}

/// Packets of the path that wait for a client that is frozen.
fn blocked(rig: &Rig) -> f64 {
    rig.metric(&format!("catenary_packets_blocked{{path=\"{PATH}\",reason=\"client_frozen\"}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_and_refunds_wait_for_a_frozen_client_and_go_on_once_it_is_recovered() {
    let mut rig = Rig::start(Wish::default()).await;
    rig.create_path();
    rig.run().await;
    assert_eq!(rig.transfer(EAST, (DENOM, 500), &[]), "acknowledged");
    rig.stop();
    // A delivery there, an acknowledgement there and a refund there: all three are proven through the frozen client, over
    // which nothing is sent any more either.
    rig.send(EAST, 30, &[]);
    rig.send(WEST, 40, &[]);
    rig.send(WEST, 22, &["--timeout-seconds", "5"]);
    rig.freeze().await;
    rig.run().await;
    rig.until("all three wait", |rig| blocked(rig) == 3.0).await;
    assert_eq!(
        (rig.holds(WEST, &voucher()), rig.holds(EAST, &voucher())),
        (500, 40),
        "there alone nothing is received"
    );
    assert_eq!(rig.holds(WEST, DENOM), 1_000_000 - 40 - 22, "nor refunded");
    // The other client goes on proving, and that is the one of this refund.
    assert_eq!(rig.transfer(EAST, (DENOM, 11), &["--timeout-seconds", "5"]), "refunded");
    assert_eq!(rig.in_stage("parked"), 3);
    for sent in [(CHAINS[EAST], 2), (CHAINS[WEST], 1), (CHAINS[WEST], 2)] {
        let shown = rig.json(&["packet", "show", &format!("{}/{CLIENT}/{}", sent.0, sent.1)]).to_string();
        assert!(shown.contains("NODE-MAT-002") && shown.contains("client_frozen"), "{sent:?}: {shown}");
    }
    let ready = rig.readiness();
    assert!(ready.contains("NODE-MAT-002") && !ready.contains("wait for a person"), "{ready}");
    let tried = |rig: &Rig| rig.metric(&format!("catenary_retries_total{{class=\"transient\",path=\"{PATH}\"}}"));
    let before = tried(&rig);
    let height = rig.nets[WEST].height();
    rig.nets[WEST].wait_for_height(height + 40).await;
    assert_eq!(tried(&rig), before, "nothing is tried again meanwhile");

    rig.stop();
    rig.create_substitutes();
    rig.run().await;
    rig.until("they wait after a start as well", |rig| blocked(rig) == 3.0).await;
    rig.nets[WEST].recover_client(CLIENT, SUBSTITUTE).unwrap();
    rig.until("value is where it belongs", |rig| {
        (rig.holds(WEST, &voucher()), rig.holds(WEST, DENOM)) == (530, 1_000_000 - 40)
    })
    .await;
    rig.until("and the node knows it", |rig| rig.is_settled()).await;
    assert_eq!(blocked(&rig), 0.0);
    assert_eq!(rig.transfer(EAST, (DENOM, 7), &[]), "acknowledged", "and the path is as it was");
}
