//! Time as a value that is handed down, so that tests own it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, UTC.
pub type UnixNanos = i64;

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands at `now` until [`Clock::advance`] moves it; clones move together.
    #[must_use]
    pub fn manual(now: UnixNanos) -> Clock {
        Clock(Source::Manual(Arc::new(AtomicI64::new(now))))
    }

    /// The wall clock's time.
    #[must_use]
    pub fn now(&self) -> UnixNanos {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
                let now = SystemTime::now();
                let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
            }
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock; does nothing to the machine's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// Measures how long something takes, on the monotonic clock. For figures shown to people and
/// metrics, never for decisions that a test would want to own.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[must_use]
    pub fn start() -> Stopwatch {
        #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
        let now = Instant::now();
        Stopwatch(now)
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual(5);
        let other = clock.clone();
        clock.advance(Duration::from_nanos(7));
        assert_eq!(other.now(), 12);
    }
}
