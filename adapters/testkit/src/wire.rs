//! An endpoint that fails on demand: a TCP relay in front of the chain's own.
//!
//! It relays bytes and knows no protocol, but for two answers in HTTP/1.1 ([`Trouble::Garbage`] and
//! [`Trouble::Flood`]), which other protocols take for garbage all the same.
//!
//! What can grow here: a task for each open connection of the one adapter under test, ended with its connection or
//! when the wire is dropped; a buffer of 16 KiB each way.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes relayed at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// Most bytes of a request that are kept to send it a second time: far above any transaction.
const REPEATED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the endpoint does to what comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Relays.
    None,
    /// Closes each connection at once.
    Refuse,
    /// Takes requests and never answers.
    Silent,
    /// Relays requests and closes the connection instead of answering.
    LoseAnswers,
    /// Sends each request twice to the chain, on two connections.
    Twice,
    /// Relays what comes first of an answer, but for its last byte, and closes the connection.
    Cut,
    /// Answers with something that is no answer.
    Garbage,
    /// Answers without end.
    Flood,
    /// Begins to answer, and never goes on: what only bounds the wait for the first byte hangs here.
    Stall,
}

/// A running endpoint; it ends when it is dropped.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    trouble: watch::Sender<Trouble>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
    listener: JoinHandle<()>,
}

impl Wire {
    /// Stands in front of `upstream`, without trouble.
    ///
    /// # Errors
    /// No port can be opened.
    pub async fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (trouble, in_force) = watch::channel(Trouble::None);
        let connections = Arc::new(Mutex::new(Vec::new()));
        let kept = connections.clone();
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let task = tokio::spawn(serve(client, upstream, in_force.clone()));
                let mut kept: std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> =
                    kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.retain(|task| !task.is_finished());
                kept.push(task);
            }
        });
        Ok(Self { address, trouble, connections, listener })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on. Open connections end, so that each request meets what is in force.
    pub fn set(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
        for task in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

async fn serve(client: TcpStream, upstream: SocketAddr, mut in_force: watch::Receiver<Trouble>) {
    let trouble = *in_force.borrow_and_update();
    tokio::select! {
        // A connection that breaks is the adapter's to open again.
        _ = troubled(client, upstream, trouble) => {}
        _ = in_force.changed() => {}
    }
}

async fn troubled(mut client: TcpStream, upstream: SocketAddr, trouble: Trouble) -> std::io::Result<()> {
    match trouble {
        Trouble::Refuse => Ok(()),
        Trouble::Silent => swallow(&mut client).await,
        Trouble::Garbage => answer(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot this!").await,
        Trouble::Stall => {
            answer(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{").await?;
            swallow(&mut client).await
        }
        Trouble::Flood => flood(&mut client).await,
        Trouble::None => relay(client, upstream, Relay { answers: Answers::All, twice: false }).await,
        Trouble::LoseAnswers => relay(client, upstream, Relay { answers: Answers::None, twice: false }).await,
        Trouble::Cut => relay(client, upstream, Relay { answers: Answers::Most, twice: false }).await,
        Trouble::Twice => relay(client, upstream, Relay { answers: Answers::All, twice: true }).await,
    }
}

async fn swallow(client: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    while client.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn answer(client: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    if client.read(&mut buffer).await? > 0 {
        client.write_all(bytes).await?;
    }
    Ok(())
}

/// A JSON answer that begins well and never ends, in chunks.
async fn flood(client: &mut TcpStream) -> std::io::Result<()> {
    answer(client, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n").await?;
    let chunk = [format!("{CHUNK_BYTES:x}\r\n").into_bytes(), vec![b' '; CHUNK_BYTES], b"\r\n".to_vec()].concat();
    loop {
        client.write_all(&chunk).await?;
    }
}

/// How much of the answers is relayed.
#[derive(Clone, Copy)]
enum Answers {
    All,
    /// The first part without its last byte.
    Most,
    None,
}

#[derive(Clone, Copy)]
struct Relay {
    answers: Answers,
    twice: bool,
}

async fn relay(client: TcpStream, upstream: SocketAddr, how: Relay) -> std::io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_chain, to_chain) = TcpStream::connect(upstream).await?.into_split();
    let second = if how.twice { Some(TcpStream::connect(upstream).await?.into_split()) } else { None };
    let (second_answers, second_requests) = second.unzip();
    let requests = copy_requests(from_client, to_chain, second_requests);
    let answers = copy_answers(from_chain, to_client, how.answers);
    let unread = async {
        if let Some(mut answers) = second_answers {
            let mut buffer = vec![0; CHUNK_BYTES];
            while answers.read(&mut buffer).await? > 0 {}
        }
        std::future::pending::<std::io::Result<()>>().await
    };
    // The first that ends takes the others with it: what an adapter meets is a closed connection.
    tokio::select! {
        done = requests => done,
        done = answers => done,
        done = unread => done,
    }
}

async fn copy_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut second: Option<OwnedWriteHalf>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut repeated = 0;
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        to.write_all(bytes).await?;
        repeated += count;
        if let Some(second) = second.as_mut().filter(|_| repeated <= REPEATED_BYTES_MAX) {
            second.write_all(bytes).await?;
        }
    }
}

async fn copy_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, how: Answers) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        let relayed = match how {
            Answers::All => count,
            Answers::Most => count.saturating_sub(1),
            Answers::None => 0,
        };
        to.write_all(buffer.get(..relayed).unwrap_or_default()).await?;
        if relayed < count || count == 0 {
            return Ok(());
        }
    }
}
