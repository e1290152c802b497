//! Connecting a chain whose endpoints may be down: until they have answered for the first time, it proves nothing, and
//! says why.

use std::sync::PoisonError;

use async_trait::async_trait;
use catenary_api::{Error, Result};
use catenary_light_clients::{Class, LightClient};

use super::endpoints::Endpoints;
use super::{Chain, Stop};

/// No endpoint of the chain has answered yet.
const UNCONNECTED_CODE: &str = "NODE-CHN-005";

/// What must be right before a chain is followed: its network, its contracts, and a light client to follow it with.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Looks at what the endpoints serve. Gives the light client, unless the chain has one, which was restored.
    ///
    /// # Errors
    /// Transient when nobody answers; else what is wrong, which only a person changes.
    async fn admit(&self, endpoints: &Endpoints, has_client: HasClient) -> Result<Option<Box<dyn LightClient>>>;
}

/// Whether a light client was restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HasClient {
    /// It was.
    Yes,
    /// One is to be made from the anchor.
    No,
}

impl Chain {
    /// Whether the chain is still to be admitted.
    #[must_use]
    pub fn is_unconnected(&self) -> bool {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Tries to connect; once that was done, it does nothing. Cancel safe.
    ///
    /// # Errors
    /// See [`Admission::admit`]. Until it succeeds the chain is stopped, with the reason.
    pub async fn admit(&self) -> Result<()> {
        let admission = self.admission.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(admission) = admission else { return Ok(()) };
        let has_client = if self.client().is_some() { HasClient::Yes } else { HasClient::No };
        match admission.admit(&self.endpoints, has_client).await {
            Ok(client) => {
                if let Some(client) = client {
                    *self.client_mut() = Some(client);
                }
                *self.admission.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(())
            }
            Err(error) => {
                self.hold_back(unconnected(&self.options.name, &error));
                Err(error)
            }
        }
    }

    /// Shows why the chain is not followed.
    fn hold_back(&self, stop: Stop) {
        self.observer.stopped(Some(&stop));
        self.head.send_if_modified(|head| {
            let changed = head.stop.as_ref() != Some(&stop);
            head.stop = Some(stop);
            changed
        });
    }
}

/// The reason of a chain before its first try.
pub(super) fn not_tried(chain: &str) -> Stop {
    Stop { code: UNCONNECTED_CODE, message: format!("chain {chain} is not connected yet") }
}

fn unconnected(chain: &str, error: &Error) -> Stop {
    match error.class {
        Class::Transient => Stop {
            code: UNCONNECTED_CODE,
            message: format!("chain {chain} is not connected yet; it is tried again: {error}"),
        },
        _ => Stop { code: error.code, message: error.message.clone() },
    }
}
