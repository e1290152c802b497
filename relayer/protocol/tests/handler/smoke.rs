//! One transfer each way, one refused and one that times out.

use catenary_protocol::handler::Event;
use catenary_protocol::{ics20, Acknowledgement};

use super::rig::{result, written, Rig};

#[test]
fn value_goes_over_and_comes_home() {
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    let voucher = rig.voucher(1, "stake");

    let packet = rig.transfer(0, &rig.transfer_message(0, ("stake", 60), ("alice", "bob"))).unwrap();
    assert_eq!((rig.balance(0, "alice", "stake"), rig.escrowed(0, "stake")), (40, 60));
    let received = rig.recv(1, &packet).unwrap();
    assert_eq!(result(&received), 2);
    let ack = written(&received);
    assert_eq!(ack.single().unwrap(), ics20::SUCCESS_ACK);
    assert_eq!(rig.balance(1, "bob", &voucher), 60);
    assert_eq!(result(&rig.ack(0, &packet, &ack).unwrap()), 2);
    assert_eq!(rig.escrowed(0, "stake"), 60);

    let packet = rig.transfer(1, &rig.transfer_message(1, (&voucher, 25), ("bob", "carol"))).unwrap();
    assert_eq!(rig.balance(1, "bob", &voucher), 35);
    assert_eq!(rig.chains[1].host.supply(&voucher).to::<u64>(), 35);
    let received = rig.recv(0, &packet).unwrap();
    assert_eq!((rig.balance(0, "carol", "stake"), rig.escrowed(0, "stake")), (25, 35));
    let ack = written(&received);
    rig.ack(1, &packet, &ack).unwrap();
}

#[test]
fn a_refused_transfer_and_a_late_one_are_given_back() {
    let mut rig = Rig::new();
    rig.fund(0, "alice", "stake", 100);
    let refused = rig.transfer(0, &rig.transfer_message(0, ("stake", 60), ("alice", "no"))).unwrap();
    let received = rig.recv(1, &refused).unwrap();
    assert_eq!((result(&received), written(&received)), (2, Acknowledgement::universal_error()));
    assert!(received.events.iter().any(|event| matches!(event, Event::AppFailed(_))));
    rig.ack(0, &refused, &written(&received)).unwrap();
    assert_eq!((rig.balance(0, "alice", "stake"), rig.escrowed(0, "stake")), (100, 0));

    let late = rig.transfer(0, &rig.transfer_message(0, ("stake", 30), ("alice", "bob"))).unwrap();
    rig.wait(60);
    assert_eq!(rig.recv(1, &late).unwrap_err().code(), "PR-HND-020");
    assert_eq!(result(&rig.timeout(0, &late).unwrap()), 2);
    assert_eq!((rig.balance(0, "alice", "stake"), rig.escrowed(0, "stake")), (100, 0));
}
