//! Exposition formats: what a scraped `/metrics` page says, entry by entry.
//!
//! [`Parser`] reads Prometheus's text format (0.0.4, and 1.0.0 with its quoted UTF-8 names),
//! OpenMetrics (0.0.1 and 1.0.0) and the delimited protobuf messages of `io.prometheus.client`. It
//! works in place: names and values are slices of the body, and the labels of a series are found but
//! not decoded until somebody asks, so that a scraper that knows [`SeriesLabels::key`] from the
//! last time never asks.
//!
//! It takes what Prometheus takes and refuses what Prometheus refuses; [`Options::strict`] adds the
//! rules of the OpenMetrics specification on top (order, grouping, suffixes, values by type). It
//! never panics, and holds no more than the entry at hand, beside the creation times of one family.
//!
//! ```text
//! let mut parser = Parser::new(body, Format::Text, Options::default())?;
//! while let Some(entry) = parser.next() {
//!     match entry? { Entry::Series(series) => …, Entry::Type { metric, kind } => …, _ => {} }
//! }
//! ```
//!
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

mod labels;
mod line;
mod number;
mod protobuf;
mod starts;
mod strict;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use model::metric::{HistogramSample, Labels, MetricType};

pub use self::labels::{SeriesLabels, SeriesLabelsIter};
use self::line::LineParser;
use self::protobuf::ProtobufParser;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus's text format.
    Text,
    /// The text format of OpenMetrics.
    OpenMetrics,
    /// Delimited `io.prometheus.client.MetricFamily` messages.
    Protobuf,
}

/// A content type that is none of ours, and nobody said what to take instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFormat {
    /// The header is missing or empty.
    #[error(
        "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol \
         specified for target"
    )]
    Blank,
    /// The header names something else.
    #[error(
        "received unsupported Content-Type {0:?} and no fallback_scrape_protocol specified for target"
    )]
    Unsupported(String),
}

impl Format {
    /// What a `Content-Type` stands for. Whatever is not known is read as `fallback`, if there is
    /// one.
    pub fn of_content_type(
        content_type: &str,
        fallback: Option<Format>,
    ) -> Result<Format, UnknownFormat> {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        if essence.is_empty() {
            return fallback.ok_or(UnknownFormat::Blank);
        }
        let known = [
            ("text/plain", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/vnd.google.protobuf", Format::Protobuf),
        ];
        known
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(essence))
            .map(|(_, format)| format)
            .or(fallback)
            .ok_or_else(|| UnknownFormat::Unsupported(content_type.to_owned()))
    }
}

/// What a [`Parser`] does beyond the format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Gives the `_created` samples of OpenMetrics as the [`Series::start`] of the samples that they
    /// belong to, instead of as series of their own.
    pub start_timestamps: bool,
    /// Gives the classic buckets of a protobuf histogram that is native too.
    pub classic_histograms: bool,
    /// Leaves native histograms out and gives classic buckets only (protobuf).
    pub no_native_histograms: bool,
    /// Holds the page to every rule of the OpenMetrics specification.
    pub strict: bool,
}

/// One thing that a page says.
#[derive(Debug)]
pub enum Entry<'p> {
    /// What kind of metric a family is.
    Type {
        /// The family's name.
        metric: Cow<'p, str>,
        /// Its kind.
        kind: MetricType,
    },
    /// What a family means.
    Help {
        /// The family's name.
        metric: Cow<'p, str>,
        /// The text, without escapes.
        help: Cow<'p, str>,
    },
    /// What a family is measured in.
    Unit {
        /// The family's name.
        metric: Cow<'p, str>,
        /// The unit; may be empty.
        unit: Cow<'p, str>,
    },
    /// A sample.
    Series(Series<'p>),
    /// A native histogram.
    Histogram(Native<'p>),
    /// A comment, with its `#`.
    Comment(&'p str),
}

/// A sample of a page.
#[derive(Debug)]
pub struct Series<'p> {
    /// Its labels, name included.
    pub labels: SeriesLabels<'p>,
    /// Its value; a NaN is always the ordinary one.
    pub value: f64,
    /// When it was taken, milliseconds since 1970, if the page says so.
    pub timestamp: Option<i64>,
    /// When the counter began, milliseconds since 1970; 0 is unknown.
    pub start: i64,
    /// Its exemplars.
    pub exemplars: &'p [PageExemplar],
}

/// A native histogram of a page.
#[derive(Debug)]
pub struct Native<'p> {
    /// Its labels, name included.
    pub labels: SeriesLabels<'p>,
    /// When it was taken, if the page says so: then [`HistogramSample::timestamp`] has it.
    pub timestamp: Option<i64>,
    /// The histogram and its start.
    pub sample: HistogramSample,
    /// Its exemplars.
    pub exemplars: &'p [PageExemplar],
}

/// An exemplar of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct PageExemplar {
    /// Its labels.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When, milliseconds since 1970, if the page says so.
    pub timestamp: Option<i64>,
}

/// What is wrong with a page, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Error {
    /// The line, counted from 1; of protobuf the number of the message.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// Reads a page. Entries are handed out one by one and borrow the parser.
#[derive(Debug)]
pub struct Parser<'b> {
    inner: Inner<'b>,
}

#[derive(Debug)]
enum Inner<'b> {
    Line(LineParser<'b>),
    Protobuf(Box<ProtobufParser<'b>>),
}

impl<'b> Parser<'b> {
    /// A parser for `body`. Text has to be UTF-8.
    pub fn new(body: &'b [u8], format: Format, options: Options) -> Result<Parser<'b>, Error> {
        let inner = match format {
            Format::Text | Format::OpenMetrics => {
                Inner::Line(LineParser::new(body, format, options)?)
            }
            Format::Protobuf => Inner::Protobuf(Box::new(ProtobufParser::new(body, options))),
        };
        Ok(Parser { inner })
    }

    /// The next entry; `None` at the end. After an error there is nothing more to come.
    #[expect(clippy::should_implement_trait, reason = "entries borrow the parser")]
    pub fn next(&mut self) -> Option<Result<Entry<'_>, Error>> {
        match &mut self.inner {
            Inner::Line(parser) => parser.next(),
            Inner::Protobuf(parser) => parser.next(),
        }
    }
}
