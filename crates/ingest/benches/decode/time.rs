//! What both benchmarks measure with.

use std::time::Duration;

use stdx::clock::Stopwatch;

/// The processor time of this thread; the clock's where Linux's account of it is missing.
pub(crate) struct Processor {
    nanos: Option<u64>,
    watch: Stopwatch,
}

impl Processor {
    pub(crate) fn start() -> Processor {
        Processor { nanos: Processor::nanos(), watch: Stopwatch::start() }
    }

    fn nanos() -> Option<u64> {
        let account = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        account.split_whitespace().next()?.parse().ok()
    }

    pub(crate) fn seconds(&self) -> f64 {
        match (self.nanos, Processor::nanos()) {
            (Some(start), Some(end)) => Duration::from_nanos(end - start).as_secs_f64(),
            _ => self.watch.elapsed().as_secs_f64(),
        }
    }
}
