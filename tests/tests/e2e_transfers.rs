//! Value both ways between a real QBFT network and a real ibc-go chain of four validators, relayed by three operators:
//! vouchers out and home, timeouts and error acknowledgements with their refunds. What is locked is what stands for it
//! on the other side plus what is on its way, before, during and after. One consortium walks all the steps.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use catenary_tests::consortium::{Asset, Book, Consortium, ConsortiumOptions, End, Order, CHAINS, NATIVE, PATH};
use catenary_tests::localnet::Account;

/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(240);
/// Too little time for a delivery, in seconds: less than the margin that members keep.
const SHORT_SECONDS: u64 = 15;

/// What a step's packets must show on the chains.
fn check(consortium: &mut Consortium, step: &str, keys: &[String], expect: End) {
    let stages = consortium.wait_ended(keys, DEADLINE).unwrap();
    let passages = consortium.passages().unwrap();
    let stage = if expect == End::Acknowledged { "acknowledged" } else { "refunded" };
    for (key, told) in keys.iter().zip(stages) {
        let passage = &passages[key];
        let ends: Vec<End> = passage.ended.iter().map(|(_, end)| *end).collect();
        assert_eq!(ends, [expect], "{step}: {key} ends once, on its source");
        assert_eq!(told, stage, "{step}: {key} as the member tells it");
        let taken: Vec<bool> = passage.received.iter().map(|(_, taken)| *taken).collect();
        let expected: &[bool] = match expect {
            End::Acknowledged => &[true],
            End::Rejected => &[false],
            End::TimedOut => &[],
        };
        assert_eq!(taken, expected, "{step}: {key} on its destination");
        let sent = passage.sent.as_ref().unwrap();
        assert!(passage.ended[0].0.time_ms >= sent.time_ms, "{step}: {key} ended after it was sent");
    }
}

/// The books of the two assets, which must balance, and what is in them: locked, vouchers, in flight.
fn balanced(consortium: &mut Consortium, step: &str) -> [Book; 2] {
    let books = consortium.conserved().unwrap_or_else(|error| panic!("{step}: {error}"));
    eprintln!("{step}: {books:?}");
    books
}

fn contents(books: &[Book; 2]) -> [(i128, i128, i128); 2] {
    books.each_ref().map(|book| (book.locked, book.vouchers, book.in_flight))
}

#[test]
fn value_moves_both_ways_and_every_packet_ends_once() {
    if !catenary_tests::localnet::nodes_are_here("e2e_transfers::value_moves_both_ways_and_every_packet_ends_once") {
        return;
    }
    let options = ConsortiumOptions { simd_validators: 4, ..ConsortiumOptions::default() };
    let mut consortium = Consortium::start(&options).unwrap();
    let before = balanced(&mut consortium, "before");
    assert_eq!(contents(&before), [(0, 0, 0), (0, 0, 0)]);

    out_and_home(&mut consortium, &before);
    let held = balanced(&mut consortium, "after the way home");
    refused(&mut consortium);
    assert_eq!(contents(&balanced(&mut consortium, "after the error acks")), contents(&held));
    timed_out(&mut consortium);
    let after = balanced(&mut consortium, "after the timeouts");
    assert_eq!(contents(&after), contents(&held), "what was refused or came too late is back with its owner");
    assert_eq!(
        after.each_ref().map(|book| (book.home_user, book.away_user)),
        held.each_ref().map(|book| (book.home_user, book.away_user))
    );

    by_hand(&mut consortium);
    let deliveries = consortium.deliveries().unwrap();
    eprintln!("{}\n{:?}", consortium.table().unwrap(), deliveries.by_signer());
    let names = consortium.attestor_names();
    for delivery in &deliveries.0 {
        assert!(delivery.attestors.len() >= 2, "two members attested: {delivery:?}");
        assert!(delivery.attestors.iter().all(|address| names.contains_key(address)), "{delivery:?}");
    }
    for operator in &consortium.operators {
        let ready = operator.ready(Some(PATH)).unwrap();
        assert!(ready.ready && ready.codes.is_empty(), "{}: {}", operator.id, ready.text);
    }
}

/// Each asset goes out, and a part of it home.
fn out_and_home(consortium: &mut Consortium, before: &[Book; 2]) {
    let keys = [
        consortium.send(Asset::Erc20, Order::of(1_000)).unwrap(),
        consortium.send(Asset::Native, Order::of(2_000)).unwrap(),
    ];
    balanced(consortium, "on the way out");
    check(consortium, "out", &keys, End::Acknowledged);
    let books = balanced(consortium, "after the way out");
    assert_eq!(contents(&books), [(1_000, 1_000, 0), (2_000, 2_000, 0)]);
    assert_eq!(books.each_ref().map(|book| book.away_user), [1_000, 2_000], "vouchers are with the receivers");

    let keys = [
        consortium.send(Asset::Erc20Voucher, Order::of(400)).unwrap(),
        consortium.send(Asset::NativeVoucher, Order::of(1_500)).unwrap(),
    ];
    balanced(consortium, "on the way home");
    check(consortium, "home", &keys, End::Acknowledged);
    let books = balanced(consortium, "home");
    assert_eq!(contents(&books), [(600, 600, 0), (500, 500, 0)]);
    let spent: Vec<i128> = before.iter().zip(&books).map(|(before, now)| before.home_user - now.home_user).collect();
    assert_eq!(spent, [600, 500], "what came home is with its owner");
}

/// Receivers that do not exist, for each asset and direction.
fn refused(consortium: &mut Consortium) {
    let keys: Vec<String> = Asset::ALL
        .into_iter()
        .map(|asset| {
            let nobody = if asset.from_evm() { "cosmos1nobody" } else { "0xnobody" };
            consortium.send(asset, Order::of(7).to(nobody)).unwrap()
        })
        .collect();
    balanced(consortium, "on the way to nobody");
    check(consortium, "bad receiver", &keys, End::Rejected);
}

/// Nobody delivers: first since the members keep a margin to the deadline, then since they are all down.
fn timed_out(consortium: &mut Consortium) {
    let send = |consortium: &Consortium| -> Vec<String> {
        let all = Asset::ALL.into_iter();
        all.map(|asset| consortium.send(asset, Order::of(5).within(SHORT_SECONDS)).unwrap()).collect()
    };
    let keys = send(consortium);
    check(consortium, "too little time", &keys, End::TimedOut);

    for operator in &mut consortium.operators {
        operator.kill();
    }
    let keys = send(consortium);
    let flight = contents(&balanced(consortium, "while all members are down")).map(|(_, _, flight)| flight);
    assert_eq!(flight, [10, 10], "out and home, 5 each");
    for operator in &mut consortium.operators {
        operator.start(None).unwrap();
    }
    consortium.wait_ready(DEADLINE).unwrap();
    check(consortium, "members down", &keys, End::TimedOut);
}

/// One transfer as a person sends it: with the command line beside a running node, an own key and a payment reference.
fn by_hand(consortium: &mut Consortium) {
    let uetr = "3f1c2b7e-8a4d-4a55-9a3e-1d2c3b4a5f6e";
    let receiver = consortium.evm_user().evm_hex();
    let operator = &consortium.operators[1];
    let file = operator.dir().join("visitor.hex");
    std::fs::write(&file, hex::encode(Account::named("user-2").private_key)).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let path = file.display().to_string();
    let import = ["keys", "import", "visitor", "--chain", CHAINS[1], "--purpose", "transactions", "--file", &path];
    operator.cli(&import).unwrap();
    let order = ["transfer", "send", "--path", PATH, "--from", CHAINS[1], "--asset", NATIVE, "--amount", "9"];
    let who = ["--receiver", &receiver, "--uetr", uetr, "--key", "visitor", "--wait"];
    let sent = operator.cli(&[&order[..], &who[..]].concat()).unwrap();
    assert_eq!(sent[0]["stage"], "acknowledged", "{sent}");
    assert_eq!(sent[0]["acknowledgement"], "success", "{sent}");
    let shown = operator.cli(&["transfer", "show", uetr]).unwrap();
    assert_eq!(shown[0]["key"], sent[0]["key"], "found by its payment reference");
    let nothing = operator.cli(&["transfer", "show", "nothing-like-it"]).unwrap_err();
    assert!(nothing.to_string().contains("API-002"), "{nothing}");
    balanced(consortium, "after the transfer by hand");
}
