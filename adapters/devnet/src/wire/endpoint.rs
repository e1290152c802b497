//! An open port, with a bound on its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::exchange::Exchange;
use super::{http, Service, WireError, CONNECTIONS_MAX};
use crate::fault::Lies;

/// A JSON-RPC endpoint on a loopback port of its own. It closes when it is dropped.
pub struct Endpoint {
    address: SocketAddr,
    lies: Lies,
    closing: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Opens a port and serves on it, with the lies that are told there.
    ///
    /// # Errors
    /// [`WireError::Bind`] when the machine has no port left.
    pub async fn open(service: Arc<dyn Service>, lies: Lies) -> Result<Self, WireError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let exchange = Exchange { service, lies: lies.clone(), closed: closed.clone() };
        let app = Router::new().fallback(http::handle).with_state(Arc::new(exchange));
        let listener = Bounded { listener, permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
        let serving = axum::serve(listener, app).with_graceful_shutdown(until(closed));
        let task = tokio::spawn(async move {
            // It ends when it is told to, and never with an error.
            let _ = serving.await;
        });
        Ok(Self { address, lies, closing, task: Some(task) })
    }

    /// Its address for HTTP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address for WebSocket.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}/websocket", self.address)
    }

    /// The lies that are told here; they may be changed at any time.
    #[must_use]
    pub const fn lies(&self) -> &Lies {
        &self.lies
    }

    /// Closes the port and all its connections, and waits until that is done.
    pub async fn close(mut self) {
        let _ = self.closing.send(true);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.closing.send(true);
    }
}

/// Waits until an endpoint closes.
pub(super) async fn until(mut closed: watch::Receiver<bool>) {
    // The other end is gone only when the endpoint is.
    let _ = closed.wait_for(|closed| *closed).await;
}

/// Takes no more connections than it has permits.
struct Bounded {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = self.permits.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        (Connection { stream, _permit: permit }, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that gives its permit back when it ends.
struct Connection {
    stream: TcpStream,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
