//! What may stop a query: its client, its deadline, and the limits on samples and memory.
//!
//! One [`Control`] belongs to one query and is shared with the threads that work on it and with
//! the store they read from. It is cheap to ask ([`Control::check`]), so it is asked often: for each series.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use stdx::clock::Stopwatch;
use stdx::memory::{Budget, Full};

use crate::eval::Steps;

/// Stops a query from outside. Clones stop the same one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not cancelled yet.
    #[must_use]
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Cancels.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a query has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Its client has gone.
    #[error("query was canceled")]
    Cancelled,
    /// Its time is over.
    #[error("query timed out")]
    TimedOut,
    /// It would hold more samples at once than it may.
    #[error("query processing would load too many samples into memory")]
    TooManySamples,
    /// There is no memory for it.
    #[error(transparent)]
    Memory(#[from] Full),
}

/// The limits of one query.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest it may take.
    pub timeout: Duration,
    /// The most samples that it may hold at once, as Prometheus counts them
    /// (`query.max-samples`).
    pub max_samples: u64,
    /// What its columns may take; a child of the budget of all queries.
    pub memory: Budget,
}

/// The most samples held at once when nobody says otherwise, as in Prometheus.
pub const MAX_SAMPLES_DEFAULT: u64 = 50_000_000;
/// The longest a query may take when nobody says otherwise, as in Prometheus.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);
/// What the columns of one query may take when nobody says otherwise, bytes.
pub const MEMORY_BYTES_DEFAULT: usize = 1 << 30;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            timeout: TIMEOUT_DEFAULT,
            max_samples: MAX_SAMPLES_DEFAULT,
            memory: Budget::new("query", MEMORY_BYTES_DEFAULT),
        }
    }
}

/// A running query, as those see it who work for it.
#[derive(Debug)]
pub struct Control {
    cancel: Cancel,
    started: Stopwatch,
    limits: Limits,
    /// Samples of the columns that live now, and the most that ever did.
    held: AtomicU64,
    peak: AtomicU64,
    /// Samples read for the query, as Prometheus counts `totalQueryableSamples`.
    total: AtomicU64,
    /// The steps of the whole query.
    steps: Steps,
    /// Samples read for each of them, when that is wanted.
    by_step: Option<Vec<AtomicU64>>,
}

impl Control {
    /// The clock of the deadline starts now.
    #[must_use]
    pub fn new(limits: Limits, cancel: Cancel) -> Control {
        Control {
            cancel,
            started: Stopwatch::start(),
            limits,
            held: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            total: AtomicU64::new(0),
            steps: Steps::once(0),
            by_step: None,
        }
    }

    /// For a query of these steps; `by_step` counts what is read for each.
    pub(crate) fn of_steps(self, steps: Steps, by_step: bool) -> Control {
        let by_step = by_step.then(|| (0..steps.count).map(|_| AtomicU64::new(0)).collect());
        Control { steps, by_step, ..self }
    }

    /// Whether the query may go on.
    pub fn check(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if self.started.elapsed() > self.limits.timeout {
            return Err(Stop::TimedOut);
        }
        Ok(())
    }

    /// How long the query may go on.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.limits.timeout.saturating_sub(self.started.elapsed())
    }

    /// How long it has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The most samples that were held at once.
    #[must_use]
    pub fn peak_samples(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// The samples that were read.
    #[must_use]
    pub fn total_samples(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts samples that a selector took into account at `steps`; `at` says how many at one of
    /// them. As in Prometheus, what is evaluated once for all steps counts at each, and what a
    /// subquery reads at the last.
    pub(crate) fn count_read(&self, steps: Steps, samples: u64, at: impl Fn(usize) -> u64) {
        let once = steps == Steps { count: 1, ..self.steps };
        let times = if once { self.steps.count as u64 } else { 1 };
        self.total.fetch_add(samples.saturating_mul(times), Ordering::Relaxed);
        let Some(counts) = &self.by_step else { return };
        if steps == self.steps {
            for (step, count) in counts.iter().enumerate() {
                count.fetch_add(at(step), Ordering::Relaxed);
            }
        } else if once {
            for count in counts {
                count.fetch_add(samples, Ordering::Relaxed);
            }
        } else if let Some(last) = counts.last() {
            last.fetch_add(samples, Ordering::Relaxed);
        }
    }

    /// The samples that were read for each step, where that was counted.
    pub(crate) fn samples_by_step(&self) -> Vec<(i64, u64)> {
        let counts = self.by_step.iter().flatten().enumerate();
        counts.map(|(at, count)| (self.steps.at(at), count.load(Ordering::Relaxed))).collect()
    }

    /// Counts samples that are held from now until [`Control::release`].
    pub(crate) fn hold(&self, samples: u64) -> Result<(), Stop> {
        let held = self.held.fetch_add(samples, Ordering::Relaxed).saturating_add(samples);
        self.peak.fetch_max(held, Ordering::Relaxed);
        if held > self.limits.max_samples { Err(Stop::TooManySamples) } else { Ok(()) }
    }

    /// Gives back what [`Control::hold`] took.
    pub(crate) fn release(&self, samples: u64) {
        self.held.fetch_sub(samples, Ordering::Relaxed);
    }

    /// The memory of the query.
    pub(crate) fn memory(&self) -> &Budget {
        &self.limits.memory
    }
}
