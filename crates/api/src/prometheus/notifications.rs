//! What users of the server's pages should know now, and those who watch it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::stream::{self, BoxStream, StreamExt as _};
use serde::Serialize;
use stdx::clock::Clock;
use tokio::sync::broadcast::{self, Sender};
use tokio_stream::wrappers::BroadcastStream;

/// How many may watch at once, as in Prometheus (`web.max-notifications-subscribers`).
pub const SUBSCRIBERS_MAX: usize = 16;

/// Changes that wait for a watcher who is slow; older ones are left out.
const WAITING_MAX: usize = 16;

/// Something that users should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// The text.
    pub text: String,
    /// Since when, RFC 3339.
    pub date: String,
    /// Whether it still holds.
    pub active: bool,
}

/// All that users should know now.
#[derive(Debug)]
pub struct Notifications {
    clock: Clock,
    now: Mutex<Vec<Notification>>,
    changes: Sender<Notification>,
}

impl Notifications {
    /// Nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Notifications {
        Notifications { clock, now: Mutex::default(), changes: broadcast::channel(WAITING_MAX).0 }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Notification>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells something; again, when it is told already.
    pub fn add(&self, text: &str) {
        let date = super::params::rfc3339(self.clock.now());
        let notification = Notification { text: text.to_owned(), date, active: true };
        let mut now = self.lock();
        now.retain(|known| known.text != text);
        now.push(notification.clone());
        self.tell(notification);
    }

    /// It holds no longer.
    pub fn remove(&self, text: &str) {
        let mut now = self.lock();
        let Some(at) = now.iter().position(|known| known.text == text) else { return };
        let gone = Notification { active: false, ..now.remove(at) };
        self.tell(gone);
    }

    fn tell(&self, notification: Notification) {
        metrics::counter!("trefoil_prometheus_notifications_total").increment(1);
        // It is no error that nobody watches.
        drop(self.changes.send(notification));
    }

    /// Those of now.
    #[must_use]
    pub fn active(&self) -> Vec<Notification> {
        self.lock().clone()
    }

    /// Those of now, then each that comes or goes; none when too many watch already.
    #[must_use]
    pub fn watch(&self) -> Option<BoxStream<'static, Notification>> {
        // Under the lock, so that none is missed or told twice.
        let now = self.lock();
        if self.changes.receiver_count() >= SUBSCRIBERS_MAX {
            return None;
        }
        let changes = BroadcastStream::new(self.changes.subscribe());
        let changes = changes.filter_map(|change| async { change.ok() });
        Some(stream::iter(now.clone()).chain(changes).boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn watchers_see_what_is_and_what_changes() {
        let notifications = Notifications::new(Clock::manual(0));
        notifications.add("a");
        let mut watched = notifications.watch().expect("few watch");
        notifications.add("b");
        notifications.remove("a");
        notifications.remove("never told");
        let mut seen = Vec::new();
        for _ in 0..3 {
            let one = watched.next().await.expect("a notification");
            seen.push((one.text, one.active));
        }
        let expected = [("a", true), ("b", true), ("a", false)];
        assert_eq!(seen, expected.map(|(text, active)| (text.to_owned(), active)));
        assert_eq!(notifications.active().len(), 1);
        let more: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| notifications.watch()).collect();
        assert!(more[SUBSCRIBERS_MAX - 2].is_some() && more[SUBSCRIBERS_MAX - 1].is_none());
    }
}
