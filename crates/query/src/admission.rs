//! How many statements run at once, and how many may wait for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// The door.
#[derive(Debug)]
pub(crate) struct Admission {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue_max: usize,
    wait_max: Duration,
}

impl Admission {
    pub(crate) fn new(running_max: usize, queue_max: usize, wait_max: Duration) -> Admission {
        Admission {
            running: Arc::new(Semaphore::new(running_max.max(1))),
            waiting: AtomicUsize::new(0),
            queue_max,
            wait_max,
        }
    }

    /// Waits for a place, but neither long nor behind many.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.queue().ok_or(Error::Overloaded)?;
        match tokio::time::timeout(self.wait_max, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::ShuttingDown),
            Err(_) => Err(Error::Overloaded),
        }
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.running.close();
    }

    fn queue(&self) -> Option<Place<'_>> {
        let take = |waiting: usize| (waiting < self.queue_max).then_some(waiting + 1);
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()
            .map(|_| Place(&self.waiting))
    }
}

/// A place in the queue, given back on drop.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_too_many_is_refused_and_a_waiting_one_gets_in() {
        let door = Arc::new(Admission::new(1, 1, Duration::from_secs(5)));
        let first = door.enter().await.expect("room");
        let waiting = tokio::task::unconstrained({
            let door = Arc::clone(&door);
            async move { door.enter().await }
        });
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(matches!(door.enter().await, Err(Error::Overloaded)));
        drop(first);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn waiting_ends() {
        let door = Admission::new(1, 1, Duration::from_millis(5));
        let _first = door.enter().await.expect("room");
        assert!(matches!(door.enter().await, Err(Error::Overloaded)));
        door.close();
        assert!(matches!(door.enter().await, Err(Error::ShuttingDown)));
    }
}
