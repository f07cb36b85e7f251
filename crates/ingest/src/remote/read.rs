//! Remote read: `POST /api/v1/read`.
//!
//! Answers are whole series of samples (`SAMPLES`), or chunks, series by series, as they are read
//! (`STREAMED_XOR_CHUNKS`), whichever of the two the client names first.
//!
//! Format: <https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/>.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use model::Tenant;
use model::metric::{Float, HistogramSample, Labels, MatchOp, Matcher};
use stdx::memory::{Budget, Reservation};

use super::Version;
use super::encode::{compress, put_float, put_histogram, put_labels};
use super::receive::{plain, refuse};
use super::{histogram_chunk, xor};
use crate::body::{self, Encoding, Rules};
use crate::otlp::http::content_length;
use crate::refusal::Refusal;
use crate::wire::{Field, Read, Reader, Writer};

/// One selection of a request.
#[derive(Debug, Clone)]
pub struct ReadQuery {
    /// The first time, milliseconds since 1970, inclusive.
    pub start: i64,
    /// The last time, inclusive.
    pub end: i64,
    /// Which series.
    pub matchers: Vec<Matcher>,
    /// The step of the query that this is for, milliseconds; 0 is unknown.
    pub step: i64,
    /// The function around the selector; may be empty.
    pub function: String,
}

/// Samples of one series, each kind ascending in time. Kept between series.
#[derive(Debug, Clone, Default)]
pub struct ReadPoints {
    /// Floats, stale markers included.
    pub floats: Vec<Float>,
    /// Native histograms.
    pub histograms: Vec<HistogramSample>,
}

/// What a selection found.
pub trait ReadSeries: Send {
    /// How many series.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A series' labels; series are in order of their labels.
    fn labels(&self, index: usize) -> Labels;

    /// Reads a series into `points`, which are empty.
    fn read(&self, index: usize, points: &mut ReadPoints) -> Result<(), ReadError>;
}

/// Where series are read from: sync, called from threads of their own.
pub trait ReadSource: Send + Sync + Debug {
    /// Selects series.
    fn select(&self, tenant: &Tenant, query: &ReadQuery) -> Result<Box<dyn ReadSeries>, ReadError>;
}

/// Why series cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The request asks for something that cannot be.
    #[error("{0}")]
    BadData(String),
    /// The store cannot answer.
    #[error("{0}")]
    Unavailable(String),
}

/// The limits of remote read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLimits {
    /// Samples of an answer that is not streamed.
    pub samples_max: usize,
    /// The size of one frame of a streamed answer, about.
    pub frame_bytes: usize,
    /// Queries of one request.
    pub queries_max: usize,
    /// The largest request, before and after decompression.
    pub body_bytes_max: usize,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits {
            samples_max: 50_000_000,
            frame_bytes: 1 << 20,
            queries_max: 100,
            body_bytes_max: 1 << 20,
        }
    }
}

#[derive(Debug, Clone)]
struct Reading {
    source: Arc<dyn ReadSource>,
    budget: Budget,
    limits: ReadLimits,
}

/// The route of remote read. `budget` covers requests and answers. Tenants come from the request's
/// extensions.
pub fn read_router(source: Arc<dyn ReadSource>, budget: Budget, limits: ReadLimits) -> Router {
    Router::new()
        .route("/api/v1/read", post(read))
        .layer(DefaultBodyLimit::disable())
        .with_state(Reading { source, budget, limits })
}

const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

async fn read(State(reading): State<Reading>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let tenant = parts.extensions.get::<Tenant>().cloned().unwrap_or_default();
    let rules = Rules {
        bytes_max: reading.limits.body_bytes_max,
        timeout: std::time::Duration::from_secs(30),
        retry_after: RETRY_AFTER,
    };
    let declared = content_length(&parts.headers);
    let held = body::read(body, declared, &reading.budget, &rules).await;
    let held = held.and_then(|held| body::decompress(held, Encoding::Snappy, &rules));
    let decoded = held.and_then(|held| decode(&held.bytes, &reading.limits));
    let request = match decoded {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal),
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let answered =
        tokio::task::spawn_blocking(move || answer(&reading, &tenant, &request, &sender));
    respond(answered, receiver).await
}

/// What a thread that reads says: first what kind of answer it is.
enum Said {
    Streamed,
    Frame(Bytes),
}

async fn respond(
    answered: tokio::task::JoinHandle<Result<Option<Vec<u8>>, Failure>>,
    mut receiver: tokio::sync::mpsc::Receiver<Said>,
) -> Response {
    if let Some(Said::Streamed) = receiver.recv().await {
        let frames = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let frames = tokio_stream::StreamExt::filter_map(frames, |said| match said {
            Said::Frame(frame) => Some(Ok::<_, std::io::Error>(frame)),
            Said::Streamed => None,
        });
        let mut response = Response::new(Body::from_stream(frames));
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(
                "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse",
            ),
        );
        return response;
    }
    match answered.await {
        Ok(Ok(body)) => {
            let mut response = Response::new(Body::from(body.unwrap_or_default()));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
            response
        }
        Ok(Err(Failure::Refused(refusal))) => refuse(&refusal),
        Ok(Err(Failure::Read(ReadError::BadData(text)))) => plain(StatusCode::BAD_REQUEST, &text),
        Ok(Err(Failure::Read(error))) => {
            plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("reading failed: {error}")),
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    Refused(Refusal),
    Read(ReadError),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        Failure::Read(error)
    }
}

/// How the client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Samples,
    Chunks,
}

#[derive(Debug)]
struct ReadRequest {
    queries: Vec<ReadQuery>,
    wanted: Wanted,
}

fn decode(body: &[u8], limits: &ReadLimits) -> Result<ReadRequest, Refusal> {
    let malformed = |message: String| Refusal::Malformed { path: String::new(), message };
    let (queries, types) = fields(body).map_err(|fault| {
        malformed(format!("cannot decode the read request: {}: {}", fault.path(), fault.problem()))
    })?;
    if queries.len() > limits.queries_max {
        return Err(malformed(format!(
            "{} queries in one request, at most {} are allowed",
            queries.len(),
            limits.queries_max
        )));
    }
    let wanted = match types.iter().find(|kind| **kind <= 1) {
        None if types.is_empty() => Wanted::Samples,
        Some(0) => Wanted::Samples,
        Some(_) => Wanted::Chunks,
        None => return Err(malformed(format!("server does not support any of {types:?}"))),
    };
    let queries = queries
        .into_iter()
        .map(|raw| {
            let matchers = raw.matchers.into_iter().map(|(op, name, value)| {
                Matcher::new(name, op, value).map_err(|error| malformed(error.to_string()))
            });
            let matchers = matchers.collect::<Result<Vec<_>, _>>()?;
            let RawQuery { start, end, step, function, .. } = raw;
            Ok(ReadQuery { start, end, matchers, step, function: function.to_owned() })
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    Ok(ReadRequest { queries, wanted })
}

#[derive(Debug, Default)]
struct RawQuery<'a> {
    start: i64,
    end: i64,
    matchers: Vec<(MatchOp, &'a str, &'a str)>,
    step: i64,
    function: &'a str,
}

fn fields(body: &[u8]) -> Read<(Vec<RawQuery<'_>>, Vec<u64>)> {
    let (mut queries, mut types) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(body);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(message)) => {
                let index = queries.len();
                queries.push(raw_query(message).map_err(|f| f.in_element("queries", index))?);
            }
            (2, field) => {
                crate::metrics::native::varints(2, &field, |kind| types.push(kind))?;
            }
            (1, field) => return Err(field.unexpected(1)),
            _ => {}
        }
    }
    Ok((queries, types))
}

fn raw_query(message: &[u8]) -> Read<RawQuery<'_>> {
    let mut query = RawQuery::default();
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(value)) => query.start = value.cast_signed(),
            (2, Field::Varint(value)) => query.end = value.cast_signed(),
            (3, Field::Bytes(message)) => {
                let index = query.matchers.len();
                query.matchers.push(matcher(message).map_err(|f| f.in_element("matchers", index))?);
            }
            (4, Field::Bytes(hints)) => {
                let mut reader = Reader::new(hints);
                while let Some((number, field)) = reader.next()? {
                    match (number, field) {
                        (1, Field::Varint(value)) => query.step = value.cast_signed(),
                        (2, Field::Bytes(text)) => query.function = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (1..=4, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(query)
}

fn matcher(message: &[u8]) -> Read<(MatchOp, &str, &str)> {
    let (mut op, mut name, mut value) = (MatchOp::Equal, "", "");
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(0)) => op = MatchOp::Equal,
            (1, Field::Varint(1)) => op = MatchOp::NotEqual,
            (1, Field::Varint(2)) => op = MatchOp::Regex,
            (1, Field::Varint(3)) => op = MatchOp::NotRegex,
            (2, Field::Bytes(text)) => name = utf8(text)?,
            (3, Field::Bytes(text)) => value = utf8(text)?,
            (1..=3, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((op, name, value))
}

fn utf8(text: &[u8]) -> Read<&str> {
    std::str::from_utf8(text).map_err(|_| crate::wire::Problem::NotUtf8.fault())
}

/// Reads and answers; the body of an answer with samples.
fn answer(
    reading: &Reading,
    tenant: &Tenant,
    request: &ReadRequest,
    sender: &tokio::sync::mpsc::Sender<Said>,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut selected = Vec::with_capacity(request.queries.len());
    for query in &request.queries {
        selected.push(reading.source.select(tenant, query)?);
    }
    if request.wanted == Wanted::Samples {
        return samples(reading, &selected).map(Some);
    }
    if sender.blocking_send(Said::Streamed).is_err() {
        return Ok(None);
    }
    stream(reading, &selected, sender)?;
    Ok(None)
}

fn samples(reading: &Reading, selected: &[Box<dyn ReadSeries>]) -> Result<Vec<u8>, Failure> {
    let full = |full| Failure::Refused(Refusal::memory(&full, RETRY_AFTER));
    let mut memory = reading.budget.reserve(0).map_err(full)?;
    let mut writer = Writer::default();
    let mut points = ReadPoints::default();
    let mut count = 0;
    for series in selected {
        let result = writer.open(1);
        for index in 0..series.len() {
            points.floats.clear();
            points.histograms.clear();
            series.read(index, &mut points)?;
            count += points.floats.len() + points.histograms.len();
            if count > reading.limits.samples_max {
                let text = format!("exceeded sample limit ({})", reading.limits.samples_max);
                return Err(ReadError::BadData(text).into());
            }
            let message = writer.open(1);
            put_labels(&mut writer, 1, series.labels(index).iter());
            for float in &points.floats {
                put_float(&mut writer, 2, float, Version::V1);
            }
            for histogram in &points.histograms {
                put_histogram(&mut writer, 4, histogram, Version::V1);
            }
            writer.close(message);
            grow(&mut memory, 3 * writer.len()).map_err(full)?;
        }
        writer.close(result);
    }
    Ok(compress(&writer.finish()))
}

fn grow(memory: &mut Reservation, bytes: usize) -> Result<(), stdx::memory::Full> {
    if bytes > memory.bytes() { memory.resize(2 * bytes) } else { Ok(()) }
}

/// Sends frames until all is said or nobody listens.
fn stream(
    reading: &Reading,
    selected: &[Box<dyn ReadSeries>],
    sender: &tokio::sync::mpsc::Sender<Said>,
) -> Result<(), Failure> {
    let mut points = ReadPoints::default();
    for (query, series) in selected.iter().enumerate() {
        for index in 0..series.len() {
            points.floats.clear();
            points.histograms.clear();
            series.read(index, &mut points)?;
            let mut chunks = Pieces::of(&points).peekable();
            while chunks.peek().is_some() {
                let frame = frame(reading, query, &series.labels(index), &mut chunks);
                if sender.blocking_send(Said::Frame(Bytes::from(frame))).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Samples of one chunk; there is at least one.
#[derive(Debug, Clone, Copy)]
enum Piece<'p> {
    Floats(&'p [Float]),
    Histograms(&'p [HistogramSample]),
}

impl Piece<'_> {
    /// The times of the first and the last sample.
    fn span(&self) -> (i64, i64) {
        let ends = match self {
            Piece::Floats(floats) => {
                floats.first().zip(floats.last()).map(|(a, b)| (a.timestamp, b.timestamp))
            }
            Piece::Histograms(all) => {
                all.first().zip(all.last()).map(|(a, b)| (a.timestamp, b.timestamp))
            }
        };
        ends.unwrap_or_default()
    }

    fn encode(&self) -> (u64, Vec<u8>) {
        match self {
            Piece::Floats(floats) => (xor::ENCODING, xor::encode(floats)),
            Piece::Histograms(all) => (histogram_chunk::ENCODING, histogram_chunk::encode(all)),
        }
    }
}

/// The samples of a series cut into chunks, in order of time: a series may change its kind.
struct Pieces<'p> {
    floats: &'p [Float],
    histograms: &'p [HistogramSample],
}

impl<'p> Pieces<'p> {
    fn of(points: &'p ReadPoints) -> Pieces<'p> {
        Pieces { floats: &points.floats, histograms: &points.histograms }
    }
}

impl<'p> Iterator for Pieces<'p> {
    type Item = Piece<'p>;

    fn next(&mut self) -> Option<Piece<'p>> {
        let float = self.floats.first().map_or(i64::MAX, |float| float.timestamp);
        let histogram = self.histograms.first().map_or(i64::MAX, |sample| sample.timestamp);
        if self.histograms.is_empty() || (float <= histogram && !self.floats.is_empty()) {
            let before = self.floats.partition_point(|float| float.timestamp <= histogram);
            let (piece, rest) = self.floats.split_at(before.min(xor::SAMPLES_MAX));
            self.floats = rest;
            return (!piece.is_empty()).then_some(Piece::Floats(piece));
        }
        let before = self.histograms.partition_point(|sample| sample.timestamp < float);
        let alike = histogram_chunk::run(self.histograms.get(..before).unwrap_or_default());
        let (piece, rest) = self.histograms.split_at(alike);
        self.histograms = rest;
        (!piece.is_empty()).then_some(Piece::Histograms(piece))
    }
}

/// A `ChunkedReadResponse` with as many chunks as fit, in its frame: length, checksum, message.
fn frame<'p>(
    reading: &Reading,
    query: usize,
    labels: &Labels,
    chunks: &mut impl Iterator<Item = Piece<'p>>,
) -> Vec<u8> {
    let mut writer = Writer::default();
    let series = writer.open(1);
    put_labels(&mut writer, 1, labels.iter());
    for piece in chunks {
        let (start, end) = piece.span();
        let chunk = writer.open(2);
        writer.varint(1, start.cast_unsigned());
        writer.varint(2, end.cast_unsigned());
        let (encoding, bytes) = piece.encode();
        writer.varint(3, encoding);
        writer.bytes(4, &bytes);
        writer.close(chunk);
        if writer.len() >= reading.limits.frame_bytes {
            break;
        }
    }
    writer.close(series);
    writer.varint(2, query as u64);
    let message = writer.finish();
    let mut head = Writer::with_capacity(message.len() + 14);
    head.packed_varint(message.len() as u64);
    let mut frame = head.finish();
    frame.extend_from_slice(&xor::crc32c(&message).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}
