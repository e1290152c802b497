//! Asking: one endpoint, with its bounds; and one after the other until there is an answer, the second one early when
//! the first is later than usual.

use std::future::Future;
use std::time::Duration;

use catenary_api::{Error, Result};
use catenary_light_clients::Class;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use super::score::{Call, Went};
use super::{limits, Endpoint, Endpoints};
use crate::platform;

/// An answer, and who gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told<T> {
    /// The answer: a claim, nothing more.
    pub answer: T,
    /// The endpoint, by its place.
    pub by: usize,
}

/// What one endpoint made of a request, and how long it took.
struct Asked<T> {
    by: usize,
    outcome: Result<T>,
}

/// How a failure counts for the endpoint.
pub(super) const fn went<T>(outcome: &Result<T>) -> Went {
    match outcome {
        Ok(_) => Went::Ok,
        Err(error) => match error.class {
            Class::Transient | Class::Config | Class::Misbehaviour => Went::Failed,
            // A bound of ours, or a transaction that would revert: the endpoint did answer.
            Class::Permanent | Class::Bug => Went::Refused,
        },
    }
}

impl Endpoints {
    /// Asks one endpoint, within its bounds of requests in flight and a second, and remembers how it went.
    ///
    /// Cancel safe: a request that is dropped is not counted.
    pub(super) async fn ask<'a, T, F, Fut>(&'a self, at: usize, call: Call, request: F) -> Result<T>
    where
        F: FnOnce(&'a Endpoint) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let endpoint = self.list.get(at).ok_or_else(|| self.none_left())?;
        // The semaphores are never closed.
        let _permit = match endpoint.permits.get(call.index()) {
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        let now_ms = self.now_ms();
        let wait_ms = self.board().buckets.get_mut(at).and_then(Option::as_mut).map_or(0, |bucket| bucket.take(now_ms));
        if wait_ms > 0 {
            platform::sleep(Duration::from_millis(wait_ms)).await;
        }
        self.note(at, |record, now_ms| record.tried(now_ms));
        let started_ms = self.now_ms();
        let outcome = request(endpoint).await;
        let took_ms = self.now_ms().saturating_sub(started_ms);
        self.ended(at, call, &outcome, took_ms);
        outcome
    }

    fn ended<T>(&self, at: usize, call: Call, outcome: &Result<T>, took_ms: u64) {
        let went = went(outcome);
        if let (Err(error), Went::Failed) = (outcome, went) {
            if let Some(last) = self.board().last_failures.get_mut(at) {
                *last = Some(error.clone());
            }
            let (chain, endpoint) = (&self.chain, self.name(at));
            tracing::debug!(chain, endpoint, code = error.code, "endpoint failed: {error}");
        }
        self.observer.asked(self.name(at), call, went);
        self.note(at, |record, now_ms| record.went(call, went, took_ms, now_ms));
        if let Err(error) = outcome {
            // An answer that contradicts itself is no outage.
            if error.class == Class::Misbehaviour {
                self.refused(at, error.code, &error.message);
            }
        }
    }

    /// Asks for something that may be asked twice: the best endpoint first, a second one as well when that is later
    /// than usual, the next when one fails. The first answer wins, and what is still under way is dropped.
    ///
    /// # Errors
    /// The failure of the first endpoint, when every one that was asked failed; a refusal that no other endpoint would
    /// change, at once.
    pub(super) async fn read<'a, T, F>(&'a self, call: Call, but: &[usize], request: F) -> Result<Told<T>>
    where
        T: Send,
        F: Fn(&'a Endpoint) -> BoxFuture<'a, Result<T>> + Send + Sync,
    {
        let mut order = self.order(call, but).into_iter().take(limits::ATTEMPTS_MAX).peekable();
        let Some(first) = order.next() else { return Err(self.none_left()) };
        self.board().hedges.earn();
        let late_ms = self.board().records.get(first).map_or(limits::HEDGE_MS_DEFAULT, |record| record.usual_ms(call));
        let started_ms = self.now_ms();
        let one = |by: usize| {
            let asked = self.ask(by, call, &request);
            async move { Asked { by, outcome: asked.await } }
        };
        let mut asking = FuturesUnordered::new();
        asking.push(one(first));
        let mut late = std::pin::pin!(platform::sleep(Duration::from_millis(late_ms)));
        let mut hedged = false;
        let mut failure: Option<Error> = None;
        loop {
            let asked = tokio::select! {
                biased;
                Some(asked) = asking.next() => asked,
                () = &mut late, if !hedged => {
                    hedged = true;
                    // Whom the budget does not allow now is still there when the first one fails.
                    let may = order.peek().is_some() && self.board().hedges.spend();
                    asking.extend(order.next_if(|_| may).map(one));
                    continue;
                }
                else => return Err(failure.unwrap_or_else(|| self.none_left())),
            };
            match asked.outcome {
                Ok(answer) => {
                    if asked.by != first && failure.is_none() {
                        let took_ms = self.now_ms().saturating_sub(started_ms);
                        self.note(first, |record, now_ms| record.outrun(call, took_ms, now_ms));
                    }
                    return Ok(Told { answer, by: asked.by });
                }
                Err(error) if matches!(error.class, Class::Permanent | Class::Bug) => return Err(error),
                Err(error) => {
                    failure.get_or_insert(error);
                    if let Some(next) = order.next() {
                        asking.push(one(next));
                    } else if asking.is_empty() {
                        return Err(failure.unwrap_or_else(|| self.none_left()));
                    }
                }
            }
        }
    }
}
