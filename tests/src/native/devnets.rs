//! The path between two CometBFT devnets of this process.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use catenary_adapter_cosmos::native::misbehaviour_message;
use catenary_api::{
    Broadcast, BuildRequest, ChainSink, ChainSource, ClientMessage, Message, NativeMessage, PublicKey, TxBody,
};
use catenary_devnet::cometbft::{CometConfig, CometDevnet, CometFault};

use super::{chain_id, NativePath, Terms, CLIENT};
use crate::localnet::Account;

/// What customers hold.
pub const DENOM: &str = "gold";
/// Time between two blocks.
const BLOCK: Duration = Duration::from_millis(150);
/// Blocks after which a test gives up: minutes, on any machine.
const BLOCKS_MAX: u64 = 3_000;

/// How a rig differs from the usual one.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The configuration.
    pub terms: Terms,
    /// Time between two blocks of the first chain; `None` makes them on demand.
    pub interval: Option<Duration>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { terms: Terms::default(), interval: Some(BLOCK) }
    }
}

impl Wish {
    /// The usual one but for the configuration.
    #[must_use]
    pub fn with(terms: Terms) -> Self {
        Self { terms, ..Self::default() }
    }
}

/// Two networks and the program between them.
#[derive(Debug)]
pub struct Rig {
    /// The networks.
    pub nets: [CometDevnet; 2],
    path: NativePath,
}

impl Deref for Rig {
    type Target = NativePath;

    fn deref(&self) -> &NativePath {
        &self.path
    }
}

impl DerefMut for Rig {
    fn deref_mut(&mut self) -> &mut NativePath {
        &mut self.path
    }
}

impl Rig {
    /// Networks, keys and anchors.
    pub async fn start(wish: Wish) -> Self {
        let [customers, payers] =
            [["user-0", "user-1"], ["relayer-0", "relayer-1"]].map(|names| names.map(Account::named));
        let net = |at: usize| {
            let funded = [(&customers[at], DENOM), (&payers[at], "stake")];
            let funded = funded.map(|(who, denom)| (who.cosmos_address.clone(), denom.to_owned(), 1_000_000));
            CometDevnet::start(CometConfig {
                chain_id: chain_id(at),
                seed: at as u64 + 40,
                block_interval: if at == 0 { wish.interval } else { Some(BLOCK) },
                funded: funded.to_vec(),
                ..CometConfig::default()
            })
        };
        let nets = [net(0).await.unwrap(), net(1).await.unwrap()];
        let urls = [nets[0].url(), nets[1].url()];
        let path = tokio::task::block_in_place(|| NativePath::new(urls, DENOM, wish.terms));
        let mut rig = Self { nets, path };
        for at in [0, 1] {
            // A header proves the state before it, so the one before the head proves something at once.
            if wish.interval.is_none() && at == 0 {
                rig.nets[at].mine(3).unwrap();
            }
            let height = rig.nets[at].wait_for_height(3).await - 1;
            rig.path.anchor(at, height);
        }
        rig
    }

    /// Creates the clients where the first chain makes its blocks on demand: as many as the command needs.
    pub async fn create_path_mining(&mut self) {
        let mut child = self.path.creating_path();
        while child.try_wait().unwrap().is_none() {
            self.nets[0].mine(1).unwrap();
            self.nets[1].wait_for_height(self.nets[1].height() + 1).await;
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.path.created();
    }

    /// Starts the node, and waits until it answers.
    pub async fn run(&mut self) {
        self.path.start(None);
        self.until("the node answers", |rig| rig.get("/readyz").is_some()).await;
    }

    /// Looks at every block of the second chain until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let first = self.nets[1].height();
        while !holds(self) {
            let height = self.nets[1].height();
            assert!(height < first + BLOCKS_MAX, "{what} did not come true\n{}", self.path.log());
            self.nets[1].wait_for_height(height + 1).await;
        }
    }

    /// What a customer holds.
    #[must_use]
    pub fn holds(&self, chain: usize, denom: &str) -> u64 {
        self.nets[chain].balance(&self.path.customers[chain].cosmos_address, denom).unwrap().parse().unwrap()
    }

    /// Somebody shows two headers of the first chain that contradict each other to its client on the second one, which
    /// freezes it. The node sees neither.
    pub async fn freeze(&self) {
        let forged = self.nets[0].fault(CometFault::Equivocate).await.unwrap();
        let height = forged.height;
        let here = NativePath::adapter(1, &self.nets[1].url());
        let [honest, other] = [self.nets[0].url(), forged.url().unwrap()].map(|url| NativePath::adapter(0, &url));
        let known = here.client(CLIENT).await.unwrap().unwrap().latest_height;
        self.nets[0].wait_for_height(height).await;
        let base = honest.updates(known, known).await.unwrap().remove(0);
        let first = honest.updates(height, height).await.unwrap().remove(0);
        let second = other.updates(height, height).await.unwrap().remove(0);
        let message = misbehaviour_message(&first, &second, &base).unwrap();
        self.show(message).await;
        assert!(here.client(CLIENT).await.unwrap().unwrap().frozen);
    }

    /// A customer's transaction that shows something to the client on the second chain.
    async fn show(&self, message: ClientMessage) {
        let here = NativePath::adapter(1, &self.nets[1].url());
        let customer = &self.path.customers[1];
        let public_key = PublicKey(customer.public_key);
        let account = here.account(&public_key).await.unwrap();
        let update = Message::Native(NativeMessage::UpdateClient { client_id: CLIENT.into(), message });
        let body = TxBody::Deliver(vec![update]);
        let request = BuildRequest { body: &body, public_key: &public_key, account: &account, nonce: account.nonce };
        let unsigned = here.build(request).await.unwrap();
        let signed = here.finish(&unsigned, &signature(customer, &unsigned.digest.0)).unwrap();
        let sent = here.broadcast(&signed).await;
        assert!(matches!(sent, Broadcast::Accepted), "{sent:?}");
        self.nets[1].wait_for_height(self.nets[1].height() + 2).await;
        let receipt = here.receipt(&signed.hash).await.unwrap().unwrap();
        assert!(receipt.success, "{receipt:?}");
    }
}

fn signature(who: &Account, digest: &[u8; 32]) -> [u8; 65] {
    let key = k256::ecdsa::SigningKey::from_slice(&who.private_key).unwrap();
    let (signature, id) = key.sign_prehash_recoverable(digest).unwrap();
    let mut plain = [0; 65];
    plain[..64].copy_from_slice(&signature.to_bytes());
    plain[64] = id.to_byte();
    plain
}

/// What stands between the node and an endpoint, and can lead to another one.
#[derive(Debug)]
pub struct Proxy {
    target: tokio::sync::watch::Sender<String>,
    /// Where it listens.
    pub url: String,
}

impl Proxy {
    /// One that leads to an endpoint.
    pub async fn to(url: &str) -> Self {
        let (target, watched) = tokio::sync::watch::channel(host(url));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let mut watched = watched.clone();
                tokio::spawn(async move {
                    let target = watched.borrow_and_update().clone();
                    let Ok(mut there) = tokio::net::TcpStream::connect(target).await else { return };
                    // Connections to the former endpoint are cut.
                    tokio::select! {
                        _ = watched.changed() => {}
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                    }
                });
            }
        });
        Self { target, url }
    }

    /// Leads to another endpoint from now on.
    pub fn lead_to(&self, url: &str) {
        self.target.send_replace(host(url));
    }
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}
