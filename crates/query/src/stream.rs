//! The answer on its way out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::{Error, Stats};

/// How a statement ended.
pub(crate) type Outcome = Arc<Mutex<Option<Result<Stats, Error>>>>;

/// The batches of an answer. Dropping it ends the statement.
#[derive(Debug)]
pub struct QueryStream {
    schema: SchemaRef,
    batches: mpsc::Receiver<RecordBatch>,
    outcome: Outcome,
    stats: Option<Stats>,
    ended: bool,
    _task: AbortOnDrop,
}

/// An answer in whole.
#[derive(Debug)]
pub struct Collected {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// What it cost.
    pub stats: Stats,
}

#[derive(Debug)]
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl QueryStream {
    pub(crate) fn new(
        schema: SchemaRef,
        batches: mpsc::Receiver<RecordBatch>,
        outcome: Outcome,
        task: AbortOnDrop,
    ) -> QueryStream {
        QueryStream { schema, batches, outcome, stats: None, ended: false, _task: task }
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What the statement cost: there once the stream has ended well.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        self.stats
    }

    /// Waits for all of it. The row limit bounds what that can be.
    pub async fn collect(mut self) -> Result<Collected, Error> {
        let mut batches = Vec::new();
        while let Some(batch) = self.try_next().await? {
            batches.push(batch);
        }
        let stats = self.stats.unwrap_or_default();
        Ok(Collected { schema: self.schema(), batches, stats })
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(batch) = ready!(self.batches.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(batch)));
        }
        self.ended = true;
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        match outcome {
            Some(Ok(stats)) => {
                self.stats = Some(stats);
                Poll::Ready(None)
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            // The task ended without a word: it panicked, or the runtime went away.
            None => {
                Poll::Ready(Some(Err(Error::Internal("the query's task ended early".to_owned()))))
            }
        }
    }
}
