//! Bodies: read and decompressed into memory that was counted before.

use std::io::Read;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body::Body;
use http_body_util::BodyExt as _;
use stdx::memory::{Budget, Reservation};

use crate::refusal::Refusal;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    /// A block of snappy, not its frames: remote write's. No name stands for it here.
    Snappy,
}

impl Encoding {
    /// Reads a `content-encoding` or `grpc-encoding`.
    pub(crate) fn parse(name: &str) -> Option<Encoding> {
        match name.trim() {
            name if name.is_empty() || name.eq_ignore_ascii_case("identity") => {
                Some(Encoding::Identity)
            }
            name if name.eq_ignore_ascii_case("gzip") => Some(Encoding::Gzip),
            name if name.eq_ignore_ascii_case("zstd") => Some(Encoding::Zstd),
            _ => None,
        }
    }
}

/// A body and the memory that it lives in.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) memory: Reservation,
}

/// How bodies are read.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) bytes_max: usize,
    pub(crate) timeout: Duration,
    pub(crate) retry_after: Duration,
}

/// Reads a whole body. When `declared_bytes`, its length as the client says, is over the limit,
/// nothing is read. What finds no room is read and thrown away, so that the client, which may not
/// listen before it has sent everything, gets to hear when to come back.
pub(crate) async fn read<B>(
    body: B,
    declared_bytes: Option<usize>,
    budget: &Budget,
    rules: &Rules,
) -> Result<Held, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    /// Reserved at first for a body that does not say how long it is.
    const UNKNOWN: usize = 16 << 10;
    if declared_bytes.is_some_and(|bytes| bytes > rules.bytes_max) {
        return Err(too_large(rules.bytes_max));
    }
    let mut body = std::pin::pin!(body);
    let whole = async {
        match budget.reserve(declared_bytes.unwrap_or(UNKNOWN)) {
            Ok(memory) => collect(body.as_mut(), declared_bytes, memory, rules).await,
            Err(full) => Err(Refusal::memory(&full, rules.retry_after)),
        }
    };
    let held = tokio::time::timeout(rules.timeout, whole).await.unwrap_or_else(|_| {
        let seconds = rules.timeout.as_secs();
        Err(Refusal::Incomplete(format!("the body did not come within {seconds} s")))
    });
    if matches!(held, Err(Refusal::Busy { .. })) {
        let rest = throw_away(body, rules.bytes_max);
        // A client that is slower than that is told before it has sent everything.
        tokio::time::timeout(THROW_AWAY_WITHIN, rest).await.unwrap_or(());
    }
    held
}

/// How long a body is read that is thrown away.
const THROW_AWAY_WITHIN: Duration = Duration::from_secs(1);

/// Reads to the end, or `bytes_max`, or to where the body breaks off.
async fn throw_away<B: Body<Data = Bytes>>(mut body: Pin<&mut B>, bytes_max: usize) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > bytes_max {
            return;
        }
    }
}

async fn collect<B>(
    mut body: Pin<&mut B>,
    declared_bytes: Option<usize>,
    mut memory: Reservation,
    rules: &Rules,
) -> Result<Held, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    // Bodies that come in one piece stay in it.
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::Incomplete(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let bytes = first.len() + joined.len() + data.len();
        if bytes > rules.bytes_max {
            return Err(too_large(rules.bytes_max));
        }
        if bytes > memory.bytes() {
            let doubled = (2 * memory.bytes()).min(rules.bytes_max);
            memory
                .resize(bytes.max(doubled))
                .map_err(|full| Refusal::memory(&full, rules.retry_after))?;
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.reserve_exact(declared_bytes.unwrap_or(bytes).max(bytes));
            joined.extend_from_slice(&first);
            first = Bytes::new();
        }
        if joined.capacity() < bytes {
            joined.reserve_exact(memory.bytes().max(bytes) - joined.len());
        }
        joined.extend_from_slice(&data);
    }
    let bytes = if joined.is_empty() {
        first
    } else {
        joined.shrink_to_fit();
        Bytes::from(joined)
    };
    memory.resize(bytes.len()).map_err(|full| Refusal::memory(&full, rules.retry_after))?;
    Ok(Held { bytes, memory })
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::TooLarge { what: "the body", bytes_max }
}

/// Decompresses a body, which gives the compressed one's memory back.
pub(crate) fn decompress(held: Held, encoding: Encoding, rules: &Rules) -> Result<Held, Refusal> {
    match encoding {
        Encoding::Identity => Ok(held),
        Encoding::Gzip => {
            let compressed = held.bytes.clone();
            inflate(held, MultiGzDecoder::new(&compressed[..]), "gzip", rules)
        }
        Encoding::Zstd => {
            /// 8 MiB, what every decoder should support; a frame could ask for 128 MiB and more.
            const WINDOW_LOG_MAX: u32 = 23;
            let compressed = held.bytes.clone();
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&compressed[..])
                .map_err(|error| Refusal::Internal(format!("no zstd decoder: {error}")))?;
            decoder
                .window_log_max(WINDOW_LOG_MAX)
                .map_err(|error| Refusal::Internal(format!("no zstd decoder: {error}")))?;
            inflate(held, decoder, "zstd", rules)
        }
        Encoding::Snappy => unsnap(held, rules),
    }
}

/// A block of snappy says how long it is without compression, so that nothing is taken for one that
/// is too large.
fn unsnap(held: Held, rules: &Rules) -> Result<Held, Refusal> {
    let Held { bytes: compressed, mut memory } = held;
    let malformed = |error: snap::Error| Refusal::Malformed {
        path: String::new(),
        message: format!("cannot decompress the body as snappy: {error}"),
    };
    let len = snap::raw::decompress_len(&compressed).map_err(malformed)?;
    if len > rules.bytes_max {
        return Err(Refusal::TooLarge {
            what: "the decompressed body",
            bytes_max: rules.bytes_max,
        });
    }
    // No block is over 64 times smaller than what it means; one that says so lies.
    const RATIO: usize = 64;
    if len > 64 + RATIO * compressed.len() {
        return Err(Refusal::Malformed {
            path: String::new(),
            message: "cannot decompress the body as snappy: it is shorter than it says".to_owned(),
        });
    }
    let full = |full| Refusal::memory(&full, rules.retry_after);
    memory.resize(compressed.len() + len).map_err(full)?;
    let mut out = vec![0; len];
    let read = snap::raw::Decoder::new().decompress(&compressed, &mut out).map_err(malformed)?;
    out.truncate(read);
    drop(compressed);
    memory.resize(out.len()).map_err(full)?;
    Ok(Held { bytes: Bytes::from(out), memory })
}

fn inflate(held: Held, mut decoder: impl Read, name: &str, rules: &Rules) -> Result<Held, Refusal> {
    let Held { bytes: compressed, mut memory } = held;
    let mut out: Vec<u8> = Vec::new();
    let mut len = 0;
    let mut room = (4 * compressed.len()).clamp(4 << 10, 1 << 20);
    loop {
        if len == out.len() {
            // One byte more than allowed tells a body of just that size from a larger one.
            let grown = (len + room).min(rules.bytes_max + 1);
            memory
                .resize(compressed.len() + grown)
                .map_err(|full| Refusal::memory(&full, rules.retry_after))?;
            out.reserve_exact(grown - len);
            out.resize(grown, 0);
            room = grown;
        }
        match decoder.read(&mut out[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Refusal::Malformed {
                    path: String::new(),
                    message: format!("cannot decompress the body as {name}: {error}"),
                });
            }
        }
        if len > rules.bytes_max {
            return Err(Refusal::TooLarge {
                what: "the decompressed body",
                bytes_max: rules.bytes_max,
            });
        }
    }
    out.truncate(len);
    out.shrink_to_fit();
    drop(compressed);
    memory.resize(len).map_err(|full| Refusal::memory(&full, rules.retry_after))?;
    Ok(Held { bytes: Bytes::from(out), memory })
}
