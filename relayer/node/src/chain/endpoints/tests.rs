//! Several endpoints that fail in each way there is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use catenary_api::{
    Broadcast, BuildRequest, PacketSearch, ReplacingSink, Search, SearchKind, SignedTx, TxBody, TxHash,
};
use catenary_light_clients::{Class, Hash32};

use super::score::Call;
use super::testing::{error, receipt, Does, Fake};
use super::*;

/// What was told of endpoints.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl EndpointObserver for Notes {
    fn asked(&self, _: &str, _: Call, _: Went) {}
    fn scored(&self, _: &str, _: f64) {}
    fn changed(&self, endpoint: &str, standing: &Standing) {
        let code = standing.why.as_ref().map_or("up", |why| why.code);
        self.0.lock().unwrap().push(format!("{endpoint} {code}"));
    }
    fn disagreed(&self, endpoint: &str, why: &LeftOut) {
        self.0.lock().unwrap().push(format!("{endpoint} disagrees {}", why.code));
    }
}

fn endpoints<const N: usize>() -> ([Fake; N], Endpoints, Arc<Notes>) {
    let fakes: [Fake; N] = std::array::from_fn(|_| Fake::default());
    let members = fakes.iter().enumerate().map(|(index, fake)| fake.member(&format!("e{index}"))).collect();
    let notes = Arc::new(Notes::default());
    let endpoints = Endpoints::new("test", members, notes.clone());
    notes.take();
    (fakes, endpoints, notes)
}

fn tx() -> SignedTx {
    SignedTx { bytes: vec![1], hash: TxHash(Hash32([1; 32])) }
}

#[tokio::test]
async fn a_failing_endpoint_gives_way_to_the_next_and_is_left_out() {
    let ([dead, good], endpoints, notes) = endpoints();
    dead.does(Call::Head, Does::Fail(Class::Transient));
    good.head_at(5);
    for _ in 0..6 {
        assert_eq!(endpoints.head().await.unwrap().height, 5);
    }
    assert!(dead.asked(Call::Head) <= 3, "asked {} times", dead.asked(Call::Head));
    // The score moved the second one up before the circuit could open; asked alone, it opens.
    while endpoints.standing(0).up {
        assert!(endpoints.head_of(0, 5).await.is_err());
    }
    assert_eq!(notes.take(), ["e0 NODE-END-001"], "told once");
    assert!(endpoints.standing(0).why.unwrap().message.contains("TEST-FAKE-001"));
    dead.does(Call::Head, Does::Answer).head_at(5);
    assert_eq!(endpoints.head_of(0, 5).await.unwrap().height, 5);
    assert_eq!(notes.take(), ["e0 up"]);
}

#[tokio::test]
async fn a_refusal_of_ours_is_not_asked_again_elsewhere() {
    let ([first, second], endpoints, _) = endpoints();
    first.does(Call::Events, Does::Fail(Class::Permanent));
    assert_eq!(endpoints.events(1, 2).await.unwrap_err().class, Class::Permanent);
    assert_eq!(second.asked(Call::Events), 0);
    first.does(Call::Events, Does::Fail(Class::Config));
    assert_eq!(endpoints.events(1, 2).await, Ok(Vec::new()), "wrong credentials are the endpoint's own");
}

#[tokio::test]
async fn one_endpoint_alone_is_asked_whatever_it_did() {
    let ([only], endpoints, _) = endpoints();
    only.does(Call::Head, Does::Fail(Class::Transient));
    for _ in 0..5 {
        assert_eq!(endpoints.head().await.unwrap_err().code, "TEST-FAKE-001");
    }
    assert_eq!(only.asked(Call::Head), 5);
    endpoints.refused(0, "LC-X-001", "forged");
    only.does(Call::Head, Does::Answer);
    assert!(endpoints.head().await.is_ok());
    assert_eq!(endpoints.head_told(&[0]).await.unwrap_err().code, "NODE-END-004");
}

#[tokio::test(start_paused = true)]
async fn a_late_endpoint_is_overtaken_by_a_second_one() {
    let ([slow, quick], endpoints, _) = endpoints();
    slow.does(Call::Proofs, Does::Hang);
    let told = endpoints.proofs_told(1, &[vec![1]], &[]).await.unwrap();
    assert_eq!((told.by, slow.asked(Call::Proofs), quick.asked(Call::Proofs)), (1, 1, 1));
    // The others are asked no less than before.
    assert!(endpoints.head().await.is_ok());
    assert_eq!(slow.asked(Call::Head), 1);
}

#[tokio::test(start_paused = true)]
async fn whom_the_budget_does_not_allow_is_asked_when_the_first_one_fails() {
    let ([slow, quick], endpoints, _) = endpoints();
    while endpoints.board().hedges.spend() {}
    slow.does(Call::Events, Does::HangThenFail(Duration::from_secs(30)));
    let started = tokio::time::Instant::now();
    assert_eq!(endpoints.events_told(1, 1, &[]).await.unwrap().by, 1);
    assert_eq!((slow.asked(Call::Events), quick.asked(Call::Events)), (1, 1));
    assert_eq!(started.elapsed().as_secs(), 30, "nobody was asked earlier");
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_request_that_hangs_blocks_no_other() {
    let ([slow], endpoints, _) = endpoints();
    let endpoints = Arc::new(endpoints);
    slow.does(Call::Proofs, Does::Hang);
    let hanging: Vec<_> = (0..20)
        .map(|_| {
            let endpoints = endpoints.clone();
            tokio::spawn(async move { endpoints.proofs(1, &[vec![1]]).await })
        })
        .collect();
    while slow.asked(Call::Proofs) < Call::Proofs.in_flight_max() {
        tokio::task::yield_now().await;
    }
    assert!(endpoints.head().await.is_ok() && endpoints.events(1, 1).await.is_ok());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(slow.asked(Call::Proofs), Call::Proofs.in_flight_max(), "the rest waits for its turn");
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn who_is_refused_is_named_and_left_out_until_it_agrees() {
    let ([liar, honest], endpoints, notes) = endpoints();
    assert_eq!(endpoints.updates_told(1, 1, &[]).await.unwrap().by, 0);
    endpoints.refused(0, "LC-X-001", "no quorum");
    endpoints.refused(0, "LC-X-001", "no quorum");
    assert_eq!(notes.take(), ["e0 disagrees LC-X-001", "e0 LC-X-001", "e0 disagrees LC-X-001"]);
    assert_eq!(endpoints.updates_told(1, 1, &[]).await.unwrap().by, 1);
    assert_eq!((liar.asked(Call::Updates), honest.asked(Call::Updates)), (1, 1));
    assert_eq!(endpoints.comparable(), [1], "its pause is not over");
    endpoints.agreed(0);
    assert_eq!(notes.take(), ["e0 up"]);
    // What contradicts itself is a refusal as well.
    liar.does(Call::Updates, Does::Fail(Class::Misbehaviour));
    assert_eq!(endpoints.updates_told(1, 1, &[]).await.unwrap().by, 1);
    assert_eq!(notes.take(), ["e0 disagrees TEST-FAKE-001", "e0 TEST-FAKE-001"]);
}

#[tokio::test]
async fn who_is_behind_is_left_out_and_who_is_ahead_is_known() {
    let ([frozen, live], endpoints, notes) = endpoints();
    frozen.head_at(10);
    live.head_at(20);
    for at in 0..2 {
        endpoints.head_of(at, 10).await.unwrap();
    }
    assert_eq!(endpoints.ahead_of(10), Some((1, 20)));
    endpoints.forget_claim(1);
    assert_eq!(endpoints.ahead_of(10), None);
    endpoints.head_of(0, 20).await.unwrap();
    assert_eq!(notes.take(), ["e0 NODE-END-002"]);
    assert_eq!(endpoints.head().await.unwrap().height, 20);
    frozen.head_at(21);
    endpoints.head_of(0, 20).await.unwrap();
    assert_eq!(notes.take(), ["e0 up"]);
}

#[tokio::test]
async fn another_network_is_found_out() {
    let ([first, second], endpoints, notes) = endpoints();
    first.does(Call::Identity, Does::Fail(Class::Transient));
    assert_eq!(endpoints.identify_all("1337").await, Ok(()), "one answered, and rightly");
    assert_eq!(endpoints.identify_all("1337").await, Ok(()));
    assert_eq!(second.asked(Call::Identity), 1, "it is not asked again");
    first.does(Call::Identity, Does::Answer);
    assert_eq!(endpoints.identify(0, "1338").await.unwrap_err().code, "NODE-END-003");
    assert_eq!(notes.take(), ["e0 disagrees NODE-END-003", "e0 NODE-END-003"]);
    assert_eq!(endpoints.identify_all("1338").await.unwrap_err().code, "NODE-END-003");
    // Where one is enough, the other does no harm.
    assert_eq!(endpoints.identify_any("1338").await, Ok(()), "the second one was identified before");
    second.does(Call::Identity, Does::Fail(Class::Transient));
    let ([one, two], fresh, _) = super::tests::endpoints();
    one.does(Call::Identity, Does::Fail(Class::Transient));
    assert_eq!(fresh.identify_any("1338").await.unwrap_err().code, "NODE-END-003");
    two.does(Call::Identity, Does::Fail(Class::Transient));
    assert_eq!(fresh.identify_any("1337").await.unwrap_err().class, Class::Transient);
}

/// What two endpoints say of a broadcast, what it comes to, and how often the second one was asked.
async fn check_broadcast(first: Broadcast, second: Broadcast, expect: &str, asked_second: usize) {
    let ([one, two], endpoints, _) = endpoints();
    one.says(first.clone());
    two.says(second.clone());
    let got = endpoints.broadcast(&tx()).await;
    let name = match got {
        Broadcast::Accepted => "accepted",
        Broadcast::Refused(_) => "refused",
        Broadcast::Redundant => "redundant",
        Broadcast::NonceMismatch(_) => "nonce",
        Broadcast::Unknown(_) => "unknown",
    };
    assert_eq!((name, two.asked(Call::Broadcast)), (expect, asked_second), "{first:?} and {second:?}");
}

#[tokio::test]
async fn a_broadcast_of_unknown_outcome_goes_on_to_the_next() {
    use Broadcast::{Accepted, NonceMismatch, Redundant, Refused, Unknown};
    let e = || error(Class::Transient);
    check_broadcast(Accepted, Refused(e()), "accepted", 0).await;
    check_broadcast(Unknown(e()), Accepted, "accepted", 1).await;
    // The first one may have taken it, so what the second one thinks of it proves nothing.
    for second in [Refused(e()), NonceMismatch(e()), Redundant, Unknown(e())] {
        check_broadcast(Unknown(e()), second, "unknown", 1).await;
    }
    check_broadcast(Refused(e()), Accepted, "accepted", 1).await;
    check_broadcast(Refused(e()), Refused(e()), "refused", 1).await;
    check_broadcast(Refused(e()), Redundant, "redundant", 1).await;
    check_broadcast(Refused(e()), NonceMismatch(e()), "unknown", 1).await;
    check_broadcast(Redundant, Redundant, "redundant", 1).await;
    check_broadcast(Redundant, Refused(e()), "redundant", 1).await;
    check_broadcast(NonceMismatch(e()), NonceMismatch(e()), "nonce", 1).await;
}

#[tokio::test]
async fn the_no_of_one_endpoint_decides_nothing_while_another_may_take_it() {
    use Broadcast::{Accepted, NonceMismatch, Redundant, Refused, Unknown};
    let e = || error(Class::Transient);
    for no in [NonceMismatch(e()), Redundant, Refused(e())] {
        check_broadcast(no.clone(), Accepted, "accepted", 1).await;
        check_broadcast(no, Unknown(e()), "unknown", 1).await;
    }
    check_broadcast(NonceMismatch(e()), Redundant, "unknown", 1).await;
    check_broadcast(Redundant, NonceMismatch(e()), "unknown", 1).await;
    check_broadcast(NonceMismatch(e()), Refused(e()), "unknown", 1).await;
}

#[tokio::test]
async fn an_endpoint_that_took_it_and_is_left_out_now_keeps_the_others_no_from_deciding() {
    let refused = || Broadcast::Refused(error(Class::Transient));
    let unknown = |said: &Broadcast| matches!(said, Broadcast::Unknown(_));
    let ([took, other], endpoints, _) = endpoints();
    assert_eq!(endpoints.broadcast(&tx()).await, Broadcast::Accepted);
    other.says(refused());
    took.does(Call::Head, Does::Fail(Class::Transient)).does(Call::Broadcast, Does::Fail(Class::Transient));
    while endpoints.standing(0).up {
        assert!(endpoints.head_of(0, 5).await.is_err());
    }
    assert!(unknown(&endpoints.broadcast(&tx()).await), "it is down, and may hold it");
    took.does(Call::Broadcast, Does::Answer).says(refused());
    assert_eq!(endpoints.broadcast(&tx()).await, refused(), "asked again, it does not");
    // One that was down before there was this transaction holds nothing up.
    let ([down, serves], endpoints, _) = super::tests::endpoints();
    down.does(Call::Head, Does::Fail(Class::Transient));
    while endpoints.standing(0).up {
        assert!(endpoints.head_of(0, 5).await.is_err());
    }
    serves.says(refused());
    assert_eq!((endpoints.broadcast(&tx()).await, down.asked(Call::Broadcast)), (refused(), 0));
    // One that is left out for what it said answers still.
    let ([liar, serves], endpoints, _) = super::tests::endpoints();
    endpoints.refused(0, "TEST-001", "forged");
    serves.says(refused());
    assert_eq!((endpoints.broadcast(&tx()).await, liar.asked(Call::Broadcast)), (Broadcast::Accepted, 1));
}

#[tokio::test]
async fn handed_in_again_a_transaction_goes_to_another_first() {
    let ([one, two], endpoints, _) = endpoints();
    for _ in 0..2 {
        assert_eq!(endpoints.broadcast(&tx()).await, Broadcast::Accepted);
    }
    assert_eq!((one.asked(Call::Broadcast), two.asked(Call::Broadcast)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_receipt_is_believed_when_another_confirms_it() {
    let ([liar, other], endpoints, notes) = endpoints();
    let hash = tx().hash;
    liar.has(Some(receipt(false)));
    assert_eq!(endpoints.receipt(&hash).await, Ok(None), "nobody confirms it yet");
    other.has(Some(receipt(true)));
    assert_eq!(endpoints.receipt(&hash).await, Ok(Some(receipt(true))));
    assert_eq!(notes.take(), ["e0 disagrees NODE-END-005"]);
    other.has(Some(receipt(false)));
    assert_eq!(endpoints.receipt(&hash).await, Ok(Some(receipt(false))));
    // Alone, it is believed at once.
    let ([only], single, _) = super::tests::endpoints();
    only.has(Some(receipt(false)));
    assert_eq!(single.receipt(&hash).await, Ok(Some(receipt(false))));
}

#[tokio::test]
async fn a_receipt_that_is_nowhere_for_long_is_looked_for_elsewhere() {
    let ([withholds, other], endpoints, _) = endpoints();
    other.has(Some(receipt(true)));
    let mut looks = 0;
    while endpoints.receipt(&tx().hash).await.unwrap().is_none() {
        looks += 1;
        assert!(looks <= limits::RECEIPT_LOOKS);
    }
    assert_eq!(looks, limits::RECEIPT_LOOKS);
    assert_eq!(other.asked(Call::Receipt), 1);
    withholds.does(Call::Receipt, Does::Fail(Class::Transient));
    let fresh = TxHash(Hash32([2; 32]));
    assert_eq!(endpoints.receipt(&fresh).await, Ok(Some(receipt(true))));
}

#[tokio::test]
async fn what_would_revert_is_asked_of_two() {
    let check = |first: Does, second: Does, expect: Result<u64, Class>| async move {
        let ([one, two], endpoints, _) = endpoints();
        one.does(Call::Estimate, first.clone());
        two.does(Call::Estimate, second.clone());
        let key = catenary_api::PublicKey([2; 33]);
        let account = endpoints.account(&key).await.unwrap();
        let body = TxBody::Call(Vec::new());
        let request = BuildRequest { body: &body, public_key: &key, account: &account, nonce: 7 };
        let got = endpoints.build(request).await;
        assert_eq!(got.map(|built| built.nonce).map_err(|error| error.class), expect, "{first:?} {second:?}");
    };
    use Class::{Permanent, Transient};
    use Does::{Answer, Fail};
    check(Answer, Fail(Permanent), Ok(7)).await;
    check(Fail(Permanent), Answer, Ok(7)).await;
    check(Fail(Permanent), Fail(Permanent), Err(Permanent)).await;
    check(Fail(Transient), Fail(Permanent), Err(Permanent)).await;
    check(Fail(Permanent), Fail(Transient), Err(Permanent)).await;
    check(Fail(Transient), Fail(Transient), Err(Transient)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_a_second_are_bounded() {
    let fake = Fake::default();
    let member = Member { requests_per_second_max: Some(2), ..fake.member("e0") };
    let endpoints = Endpoints::new("test", vec![member], Arc::new(Unobserved));
    let started = tokio::time::Instant::now();
    // The clock of scores stands still here, so each request beyond the first two waits half a second more.
    for _ in 0..4 {
        endpoints.head().await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(1_500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_endpoint_that_does_not_find_what_is_there_gives_way() {
    let ([first, second], endpoints, _) = endpoints();
    let search = Search { kind: SearchKind::Sent, client_id: "client-0", sequences: &[1], from: 1, to: 2 };
    assert!(ChainSource::search(&endpoints).is_some());
    assert_eq!(endpoints.last_sequence("client-0").await, Ok(Some(9)));
    assert_eq!(endpoints.find(&search).await, Ok(Vec::new()));
    endpoints.elsewhere().await;
    assert_eq!(endpoints.find(&search).await, Ok(Vec::new()));
    assert_eq!((first.asked(Call::Events), second.asked(Call::Events)), (1, 1));
}

#[tokio::test]
async fn prices_are_asked_of_the_best_endpoint_and_of_the_next_when_it_cannot_say() {
    let none = Endpoints::new("test", vec![Fake::default().member("e0")], Arc::new(Unobserved));
    assert!(Arc::new(none).replacer().is_none(), "a family without replacement");
    for class in [Class::Transient, Class::Permanent, Class::Misbehaviour, Class::Config, Class::Bug] {
        let (fails, prices) = (Fake::default(), Fake::default());
        fails.does(Call::Estimate, Does::Fail(class));
        let members = vec![fails.pricing_member("e0"), prices.pricing_member("e1")];
        let endpoints = Arc::new(Endpoints::new("test", members, Arc::new(Unobserved)));
        let replacer = endpoints.replacer().unwrap();
        let priced = replacer.replacement(&tx()).await;
        assert_eq!(priced.is_ok(), class != Class::Bug, "{class:?}");
        assert_eq!((fails.asked(Call::Estimate), prices.asked(Call::Estimate)), (1, usize::from(class != Class::Bug)));
    }
    // Found in review: an endpoint that was left out was asked first all the same, by its place in the configuration.
    let (lies, honest) = (Fake::default(), Fake::default());
    let members = vec![lies.pricing_member("e0"), honest.pricing_member("e1")];
    let endpoints = Arc::new(Endpoints::new("test", members, Arc::new(Unobserved)));
    endpoints.refused(0, "TEST-001", "a lie");
    endpoints.replacement(&tx()).await.unwrap();
    assert_eq!((lies.asked(Call::Estimate), honest.asked(Call::Estimate)), (0, 1));
    // When no endpoint can price it, the last one's reason is told.
    let fails = Fake::default();
    fails.does(Call::Estimate, Does::Fail(Class::Permanent));
    let alone = Endpoints::new("test", vec![fails.pricing_member("e0")], Arc::new(Unobserved));
    assert_eq!(alone.replacement(&tx()).await, Err(error(Class::Permanent)));
}
