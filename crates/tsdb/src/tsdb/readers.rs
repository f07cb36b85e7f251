//! Who reads: samples leave the head only after all that may look for them there are done.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Counts readers by generation.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    /// Readers of this generation and of those before.
    now: usize,
    before: usize,
}

/// As long as it lives, what was in the head when it was made stays there or in its blocks.
#[derive(Debug)]
pub(crate) struct Reading {
    readers: Arc<Readers>,
    generation: u64,
}

impl Readers {
    /// Someone begins to read.
    pub(crate) fn begin(self: &Arc<Readers>) -> Reading {
        let mut state = self.state.lock();
        state.now += 1;
        Reading { readers: Arc::clone(self), generation: state.generation }
    }

    /// Waits until all who read now are done, or `give_up` says so; says whether they are.
    pub(crate) fn wait(&self, give_up: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock();
        state.generation += 1;
        state.before += std::mem::take(&mut state.now);
        while state.before > 0 {
            if give_up() {
                return false;
            }
            self.done.wait_for(&mut state, Duration::from_millis(100));
        }
        true
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock();
        if self.generation == state.generation {
            state.now -= 1;
        } else {
            state.before -= 1;
            if state.before == 0 {
                self.readers.done.notify_all();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_readers_from_before_are_waited_for() {
        let readers = Arc::new(Readers::default());
        let before = readers.begin();
        assert!(!readers.wait(|| true));
        let after = readers.begin();
        drop(before);
        assert!(!readers.wait(|| true));
        drop(after);
        assert!(readers.wait(|| true));
        let waiting = Arc::clone(&readers);
        let reading = readers.begin();
        let waiter = std::thread::spawn(move || waiting.wait(|| false));
        drop(reading);
        assert!(waiter.join().expect("the waiter ends"));
    }
}
