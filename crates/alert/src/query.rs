//! What rules need from outside: a language that is asked and a store that is written to.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use model::metric::{Batch, Histogram, Labels, Matcher};

/// A sample of a query's answer.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its labels; none of a scalar.
    pub labels: Labels,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// What it is.
    pub value: SampleValue,
}

/// The value of a [`Sample`].
#[derive(Debug, Clone)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl PartialEq for Sample {
    fn eq(&self, other: &Sample) -> bool {
        self.labels == other.labels && self.timestamp == other.timestamp
    }
}

impl Eq for Sample {}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It was told to stop, as this program is.
    #[error("query was canceled")]
    Canceled,
    /// In the language's words.
    #[error("{0}")]
    Failed(String),
}

/// Asks.
#[async_trait]
pub trait Query: Send + Sync + Debug {
    /// The expression as the language prints it, or what is wrong with it, with its place:
    /// `1:7: parse error: unexpected end of input`.
    fn check(&self, expression: &str) -> Result<String, String>;

    /// The value of an expression at a time (milliseconds since 1970). A scalar is one sample
    /// without labels; text and ranges are an error.
    async fn instant(&self, expression: &str, time: i64) -> Result<Vec<Sample>, QueryError>;

    /// The newest sample, stale markers left out, of every series that matches, from `start` to
    /// `end`, both included.
    async fn newest(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
    ) -> Result<Vec<Sample>, QueryError>;
}

/// Writes. The batch is stored, but for samples that the store will never take: these are told,
/// one text for each reason.
#[async_trait]
pub trait Append: Send + Sync + Debug {
    /// Writes a batch.
    async fn append(&self, batch: Batch) -> Result<Vec<Rejected>, String>;
}

/// Samples that the store will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why, as Prometheus says it: `out of order sample`, ….
    pub reason: String,
    /// How many.
    pub count: usize,
}
