//! A circuit breaker: after some failures in a row nobody is asked for a while, then one is let
//! through to see.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stdx::clock::UnixNanos;

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 3;
/// How long it stays open before one request may try.
const COOL_DOWN: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<UnixNanos>,
}

impl Breaker {
    /// Whether a request may go through now. Once the time is over it is let through for one
    /// request; the others wait for what becomes of it.
    pub(super) fn allows(&self, now: UnixNanos) -> bool {
        let mut state = self.state();
        match state.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.open_until = Some(after(now));
                true
            }
        }
    }

    pub(super) fn note(&self, succeeded: bool, now: UnixNanos) {
        let mut state = self.state();
        if succeeded {
            *state = State::default();
            return;
        }
        state.failures += 1;
        if state.failures >= FAILURES_MAX || state.open_until.is_some() {
            state.open_until = Some(after(now));
        }
    }

    pub(super) fn open(&self, now: UnixNanos) {
        self.state().open_until = Some(after(now));
    }

    pub(super) fn is_open(&self, now: UnixNanos) -> bool {
        self.state().open_until.is_some_and(|until| now < until)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn after(now: UnixNanos) -> UnixNanos {
    now.saturating_add(UnixNanos::try_from(COOL_DOWN.as_nanos()).unwrap_or(UnixNanos::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_three_failures_and_lets_one_through_later() {
        let breaker = Breaker::default();
        for _ in 0..2 {
            assert!(breaker.allows(0));
            breaker.note(false, 0);
        }
        assert!(breaker.allows(0));
        breaker.note(false, 0);
        assert!(!breaker.allows(1), "open");
        let later = after(0);
        assert!(breaker.allows(later), "one may try");
        assert!(!breaker.allows(later), "the others wait");
        breaker.note(false, later);
        assert!(!breaker.allows(later + 1), "open again");
        assert!(breaker.allows(after(later)));
        breaker.note(true, after(later));
        assert!(breaker.allows(after(later)) && !breaker.is_open(after(later)));
    }
}
