//! A node that keeps native on-chain clients, ended while it does: it is started again, and each client is brought up to
//! date, no packet is lost or doubled, and misbehaviour that was seen is not forgotten.
//!
//! Two devnets of this process and one operator; each row leaves to the next what a kill leaves.

use catenary_devnet::cometbft::CometFault;
use catenary_tests::native::devnets::{Proxy, Rig, Wish, DENOM};
use catenary_tests::native::{voucher, Terms, CHAINS, CLIENT};

use super::table::{Row, When, ROWS};

const EAST: usize = 0;
const WEST: usize = 1;

fn rows(when: When) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.when == when)
}

/// Starts the node armed, and waits until it has ended at the point.
async fn end_at(rig: &mut Rig, row: &Row) {
    rig.kill();
    rig.start(Some(row.point));
    ended(rig, row).await;
}

async fn ended(rig: &mut Rig, row: &Row) {
    while !rig.has_ended() {
        let height = rig.nets[WEST].height();
        rig.nets[WEST].wait_for_height(height + 1).await;
    }
    let words = format!("failpoint {}: the process ends here", row.point);
    assert!(rig.log().contains(&words), "ended elsewhere than at {}:\n{}", row.point, rig.log());
    eprintln!("crash: {:<28}         {}", row.name(), row.holds);
}

/// A chain's metric of its on-chain client.
fn client(rig: &Rig, metric: &str, chain: usize) -> f64 {
    rig.metric(&format!("catenary_client_{metric}{{client=\"{}/{CLIENT}\"}}", CHAINS[chain]))
}

/// Journal and store of a node that does not run hold the same, and nothing that may not be.
fn check_store(rig: &mut Rig) {
    rig.stop();
    let checked = rig.output(&["store", "check"]);
    let (said, complaints) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{said}\n{complaints}");
}

/// Ended while it looks after clients and refreshes them.
pub async fn refreshes() {
    let terms = Terms { trusting_period: "90s", ..Terms::default() };
    let mut rig = Rig::start(Wish::with(terms)).await;
    rig.create_path();
    for row in rows(When::Refresh) {
        end_at(&mut rig, row).await;
    }
    rig.kill();
    rig.run().await;
    rig.until("both clients are looked at", |rig| {
        [EAST, WEST].iter().all(|at| client(rig, "trusted_height", *at) > 0.0)
    })
    .await;
    // Whichever was due is refreshed, and none expires.
    let first = [EAST, WEST].map(|at| client(&rig, "expiry_timestamp_seconds", at));
    rig.until("both are refreshed again", |rig| {
        [EAST, WEST].iter().zip(first).all(|(at, first)| client(rig, "expiry_timestamp_seconds", *at) > first)
    })
    .await;
    assert_eq!(rig.transfer(EAST, (DENOM, 500), &[]), "acknowledged", "and packets go through them");
    assert_eq!((rig.holds(EAST, DENOM), rig.holds(WEST, &voucher(DENOM))), (999_500, 500));
    check_store(&mut rig);
}

/// Ended while it leads a client step by step to validators that it does not know.
pub async fn bisections() {
    let terms = Terms { trust: "churn_limit_permille = 1000", ..Terms::default() };
    let mut rig = Rig::start(Wish::with(terms)).await;
    rig.create_path();
    for number in 0..6 {
        rig.nets[EAST].set_power(number, 0).unwrap();
        rig.nets[EAST].set_power(number + 4, 10).unwrap();
        rig.nets[EAST].wait_for_height(rig.nets[EAST].height() + 4).await;
    }
    rig.send(EAST, 500, &[]);
    for row in rows(When::Bisection) {
        end_at(&mut rig, row).await;
    }
    rig.kill();
    rig.run().await;
    rig.until("the transfer has arrived", |rig| rig.holds(WEST, &voucher(DENOM)) == 500).await;
    rig.until("all have ended", |rig| rig.is_settled()).await;
    assert_eq!((rig.holds(EAST, DENOM), rig.holds(WEST, &voucher(DENOM))), (999_500, 500), "once");
    check_store(&mut rig);
}

/// Ended while it sees misbehaviour, keeps it, and shows it to the on-chain client.
pub async fn misbehaviour() {
    let terms = Terms { trusting_period: "300s", path: "submit_misbehaviour = true", ..Terms::default() };
    let mut rig = Rig::start(Wish { terms, interval: None }).await;
    rig.create_path_mining().await;
    let honest = rig.nets[EAST].url();
    let proxy = Proxy::to(&honest).await;
    rig.urls[EAST].clone_from(&proxy.url);
    rig.write();
    let light = |rig: &Rig| rig.metric("catenary_client_trusted_height{client=\"east\"}");
    let mut forged = None;
    for row in rows(When::Misbehaviour) {
        rig.kill();
        rig.start(Some(row.point));
        // Until it is journaled it has to be seen once more; then it is known.
        if ["misbehaviour.seen", "misbehaviour.journaled"].contains(&row.point) {
            rig.until("the node answers", |rig| rig.get("/readyz").is_some()).await;
            rig.until("the client is known", |rig| client(rig, "trusted_height", WEST) > 0.0).await;
            if forged.is_none() {
                forged = Some(rig.nets[EAST].fault(CometFault::Equivocate).await.unwrap());
                rig.nets[EAST].mine(1).unwrap();
            }
            let view = forged.as_ref().unwrap();
            rig.until("the node trusts the header", |rig| light(rig) >= view.height as f64).await;
            proxy.lead_to(&view.url().unwrap());
            ended(&mut rig, row).await;
            proxy.lead_to(&honest);
        } else {
            ended(&mut rig, row).await;
        }
    }
    rig.kill();
    rig.run().await;
    rig.until("our light client is frozen", |rig| rig.readiness().contains("NODE-CHN-003")).await;
    let frozen = format!("catenary_client_status{{client=\"west/{CLIENT}\",status=\"frozen\"}}");
    rig.until("and so is the client on the chain", |rig| rig.metric(&frozen) == 1.0).await;
    let kept = std::fs::read_dir(rig.dir.path().join("data/evidence")).unwrap().count();
    assert_eq!(kept, 1, "the evidence is there, once");
    check_store(&mut rig);
}
