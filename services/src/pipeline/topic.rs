//! The queue between API and consumer: the newest events in memory, by offset.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::{Event, Polled, Record};

/// Records that are kept; older ones are gone, read or not, as in any queue with a retention.
const RECORDS_MAX: usize = 10_000;
/// Records of one answer.
pub(super) const POLL_MAX: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Topic(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: VecDeque<Record>,
    end: u64,
}

impl Topic {
    /// Appends an event; gives its offset.
    pub(super) fn publish(&self, event: Event, traceparent: Option<String>) -> u64 {
        let mut inner = self.lock();
        let offset = inner.end;
        inner.end += 1;
        inner.records.push_back(Record { offset, traceparent, event });
        if inner.records.len() > RECORDS_MAX {
            inner.records.pop_front();
        }
        offset
    }

    /// The records from `from` on, at most [`POLL_MAX`].
    pub(super) fn poll(&self, from: u64) -> Polled {
        let inner = self.lock();
        let wanted = inner.records.iter().filter(|record| record.offset >= from);
        Polled { records: wanted.take(POLL_MAX).cloned().collect(), end: inner.end }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_order_and_the_oldest_are_given_up() {
        let topic = Topic::default();
        for number in 0..RECORDS_MAX + 3 {
            let event_id = number.to_string();
            let event = Event { event_id, kind: String::new(), payload: serde_json::Value::Null };
            topic.publish(event, None);
        }
        let offsets = |from| -> (Vec<u64>, u64) {
            let Polled { records, end } = topic.poll(from);
            (records.iter().map(|record| record.offset).collect(), end)
        };
        assert_eq!(offsets(0), ((3..53).collect(), 10_003));
        assert_eq!(offsets(10_001), (vec![10_001, 10_002], 10_003));
        assert_eq!(offsets(10_003), (vec![], 10_003));
    }
}
