//! Mutual TLS with pinned certificates, and plain text on loopback only.

use std::collections::BTreeSet;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest, Sha256};

use super::rig::{loopback, sent, Operator, Served, World, HEAD};
use crate::attestor::collector::testing::{ask_head, ask_packets};
use crate::attestor::{limits, ClientTls, Listen, NodeIdentity, PeerClient, Server, ServerTls, TransportError};

struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Clone)]
struct Certificate {
    identity: NodeIdentity,
    pin: [u8; 32],
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn issue(&self) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = params().signed_by(&key, &self.0).unwrap();
        pack(&certificate, &key)
    }
}

fn params() -> CertificateParams {
    CertificateParams::new(vec!["member.test".to_owned()]).unwrap()
}

fn self_signed() -> Certificate {
    let key = KeyPair::generate().unwrap();
    pack(&params().self_signed(&key).unwrap(), &key)
}

fn pack(certificate: &rcgen::Certificate, key: &KeyPair) -> Certificate {
    let identity = NodeIdentity {
        certificate_pem: certificate.pem().into_bytes(),
        private_key_pem: key.serialize_pem().into_bytes(),
    };
    Certificate { identity, pin: Sha256::digest(certificate.der()).into() }
}

async fn serve(operator: &Operator, own: &Certificate, peers_ca_pem: Vec<u8>, pinned: &[&Certificate]) -> Served {
    let pinned: BTreeSet<[u8; 32]> = pinned.iter().map(|certificate| certificate.pin).collect();
    let tls = ServerTls { identity: own.identity.clone(), peers_ca_pem, pinned };
    let listen = Listen { address: loopback(), tls: Some(tls) };
    Served::start(Server::bind(Arc::clone(&operator.attestor), listen).await.unwrap())
}

fn client(served: &Served, own: &Certificate, server_ca_pem: Vec<u8>) -> PeerClient {
    let tls = ClientTls { identity: own.identity.clone(), server_ca_pem, server_name: "member.test".into() };
    PeerClient::new(&format!("https://{}", served.address), Some(&tls)).unwrap()
}

/// The head, or the code of what went wrong.
async fn check(client: &PeerClient, expect: Result<u64, &str>) {
    let got = ask_head(client).await;
    assert_eq!(got.as_ref().map(|head| *head).map_err(|(code, _)| code.code()), expect, "{got:?}");
}

#[tokio::test]
async fn only_pinned_certificates_of_the_right_issuer_are_served() {
    let operator = Operator::new(&World::new(), 1);
    let (authority, foreign) = (Authority::new(), Authority::new());
    let (own, pinned, unpinned) = (authority.issue(), authority.issue(), authority.issue());
    let stranger = foreign.issue();
    let served = serve(&operator, &own, authority.pem(), &[&pinned, &stranger]).await;

    check(&client(&served, &pinned, authority.pem()), Ok(HEAD)).await;
    // The same issuer, but not pinned: the handshake passes and the request does not.
    let refused = ask_head(&client(&served, &unpinned, authority.pem())).await.unwrap_err();
    assert_eq!(refused.0.code(), "ATT-106");
    assert!(refused.1.contains("ATT-013") && refused.1.contains(&hex::encode(unpinned.pin)), "{refused:?}");
    // Pinned, but of another issuer: no handshake.
    check(&client(&served, &stranger, authority.pem()), Err("ATT-101")).await;
    // A server of another issuer than the client was told.
    check(&client(&served, &pinned, foreign.pem()), Err("ATT-101")).await;
    // Plain text to a TLS port.
    check(&PeerClient::new(&format!("http://{}", served.address), None).unwrap(), Err("ATT-101")).await;
    assert_eq!(operator.signer.signatures.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn members_own_certificates_are_enough_without_an_issuer() {
    let operator = Operator::new(&World::new(), 1);
    let (own, peer, other) = (self_signed(), self_signed(), self_signed());
    let served = serve(&operator, &own, peer.identity.certificate_pem.clone(), &[&peer]).await;
    check(&client(&served, &peer, own.identity.certificate_pem.clone()), Ok(HEAD)).await;
    check(&client(&served, &other, own.identity.certificate_pem.clone()), Err("ATT-101")).await;
    check(&client(&served, &peer, other.identity.certificate_pem), Err("ATT-101")).await;
}

#[tokio::test]
async fn a_peer_with_many_connections_has_the_bound_of_one() {
    let operator = Operator::new(&World::new(), 1);
    let authority = Authority::new();
    let (own, peer, other) = (authority.issue(), authority.issue(), authority.issue());
    let served = serve(&operator, &own, authority.pem(), &[&peer, &other]).await;
    operator.prover.close_gate();
    let connections = [(); limits::PEER_REQUESTS_MAX].map(|()| client(&served, &peer, authority.pem()));
    let asking: Vec<_> = connections
        .into_iter()
        .zip(1..)
        .map(|(connection, sequence)| {
            tokio::spawn(async move { ask_packets(&connection, HEAD, &[sent(sequence)]).await })
        })
        .collect();
    operator.prover.wait_for_in_flight(limits::PEER_REQUESTS_MAX).await;
    let refused = ask_head(&client(&served, &peer, authority.pem())).await.unwrap_err();
    assert!(refused.1.contains("ATT-011"), "{refused:?}");
    check(&client(&served, &other, authority.pem()), Ok(HEAD)).await;
    operator.prover.open_gate();
    for task in asking {
        task.await.unwrap().unwrap();
    }
    check(&client(&served, &peer, authority.pem()), Ok(HEAD)).await;
}

#[tokio::test]
async fn plain_text_is_for_loopback_only() {
    let operator = Operator::new(&World::new(), 1);
    let own = self_signed();
    for address in ["0.0.0.0:0", "192.0.2.1:7000", "[::]:0"] {
        let address = address.parse().unwrap();
        let refused = Server::bind(Arc::clone(&operator.attestor), Listen { address, tls: None }).await.unwrap_err();
        assert_eq!(refused.code(), "ATT-301");
        let tls = ServerTls { identity: own.identity.clone(), peers_ca_pem: vec![], pinned: BTreeSet::new() };
        let refused = Server::bind(Arc::clone(&operator.attestor), Listen { address, tls: Some(tls) }).await;
        assert_eq!(refused.unwrap_err().code(), "ATT-302");
    }
    let url = |url: &str| PeerClient::new(url, None).map_err(|error: TransportError| error.code());
    for loopback in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
        assert!(url(loopback).is_ok(), "{loopback}");
    }
    let rows = [
        ("http://192.0.2.1:7000", "ATT-301"),
        ("http://member.test:7000", "ATT-301"),
        ("http://localhost.member.test:7000", "ATT-301"),
        ("https://192.0.2.1:7000", "ATT-304"),
        ("ftp://127.0.0.1:1", "ATT-303"),
        ("127.0.0.1", "ATT-303"),
        ("not a url", "ATT-303"),
    ];
    for (given, expect) in rows {
        assert_eq!(url(given).unwrap_err(), expect, "{given}");
    }
}
