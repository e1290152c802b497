//! The newest value of something, and a wake-up for those who wait for the next one.
//!
//! As tokio's `watch`, of which it has the few methods that are used here, with one difference: who waited first is
//! woken first. There, waiters are spread at random, and a simulation could not be repeated.
//!
//! What an attacker can grow: nothing; there is one value, and one place for each task that waits.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug)]
struct Shared<T> {
    newest: Mutex<Newest<T>>,
    moved: Notify,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Newest<T> {
    version: u64,
    value: T,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Newest<T>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets the value.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// Reads the value and waits for the next one.
#[derive(Debug, Clone)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// Nobody sets the value any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// The value while it is looked at. Never held across an await.
#[derive(Debug)]
pub struct Ref<'a, T>(MutexGuard<'a, Newest<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Sender<T> {
    /// A sender with its first value.
    #[must_use]
    pub fn new(value: T) -> Self {
        let newest = Mutex::new(Newest { version: 0, value });
        Self(Arc::new(Shared { newest, moved: Notify::new(), closed: AtomicBool::new(false) }))
    }

    /// The value.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.0.lock())
    }

    /// A receiver that has seen the present value.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.0.lock().version;
        Receiver { shared: self.0.clone(), seen }
    }

    /// Changes the value, and wakes those who wait when `modify` says that it did.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let modified = {
            let mut newest = self.0.lock();
            let modified = modify(&mut newest.value);
            newest.version = newest.version.wrapping_add(u64::from(modified));
            modified
        };
        if modified {
            self.0.moved.notify_waiters();
        }
        modified
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.moved.notify_waiters();
    }
}

impl<T> Receiver<T> {
    /// The value.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.lock())
    }

    /// The value, which counts as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let newest = self.shared.lock();
        self.seen = newest.version;
        Ref(newest)
    }

    /// Waits for a value that was not seen yet; it counts as seen then. Cancel safe.
    ///
    /// # Errors
    /// There will be none.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            // Made before the look, so that no change between the two is missed.
            let moved = self.shared.moved.notified();
            let version = self.shared.lock().version;
            if version != self.seen {
                self.seen = version;
                return Ok(());
            }
            if self.shared.closed.load(Ordering::Acquire) {
                return Err(Closed);
            }
            moved.await;
        }
    }

    /// Waits for a value for which `good` holds, the present one included. Cancel safe.
    ///
    /// # Errors
    /// There will be none.
    pub async fn wait_for(&mut self, mut good: impl FnMut(&T) -> bool) -> Result<(), Closed> {
        loop {
            if good(&self.borrow_and_update()) {
                return Ok(());
            }
            self.changed().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_once_and_never_missed() {
        let sender = Sender::new(1);
        let mut receiver = sender.subscribe();
        assert!(!sender.send_if_modified(|value| *value == 0));
        assert!(sender.send_if_modified(|value| std::mem::replace(value, 2) != 2));
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(*receiver.borrow_and_update(), 2);
        sender.send_if_modified(|value| std::mem::replace(value, 3) != 3);
        assert_eq!(receiver.wait_for(|value| *value == 3).await, Ok(()));
        drop(sender);
        assert_eq!(receiver.changed().await, Err(Closed));
        assert_eq!(*receiver.borrow(), 3);
    }

    #[tokio::test]
    async fn who_waits_first_is_woken_first() {
        let sender = Sender::new(0);
        let woken = Arc::new(StdMutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for place in 0..20 {
            let (mut receiver, woken) = (sender.subscribe(), woken.clone());
            waiting.spawn(async move {
                receiver.changed().await.expect("a value comes");
                woken.lock().expect("nobody panicked").push(place);
            });
            tokio::task::yield_now().await;
        }
        sender.send_if_modified(|value| std::mem::replace(value, 1) != 1);
        while waiting.join_next().await.is_some() {}
        assert_eq!(*woken.lock().expect("nobody panicked"), (0..20).collect::<Vec<_>>());
    }
}
