//! OTLP's JSON, transcoded to protobuf while it is parsed.
//!
//! The messages are tables of fields below; one visitor walks over them. It accepts what the
//! specification asks for (lowerCamelCase names, hexadecimal ids, numbers for enums, 64-bit integers
//! as text or numbers, unknown fields ignored), and what else is met in the wild: snake_case names,
//! names of enum values. Null is as good as absent.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::wire::Writer;

/// A message's fields.
#[derive(Debug)]
pub(crate) struct Message(&'static [Field]);

#[derive(Debug)]
struct Field {
    /// The lowerCamelCase name.
    name: &'static str,
    number: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// Bytes as hexadecimal digits.
    Id,
    /// Bytes as base64.
    Bytes,
    Bool,
    Int64,
    Uint32,
    Uint64,
    /// Zigzag.
    Sint32,
    Fixed64,
    Sfixed64,
    Fixed32,
    Double,
    /// An enum with its value names, in order; all start with the prefix.
    Enum(&'static str, &'static [&'static str]),
    Message(&'static Message),
    Repeated(&'static Message),
    /// Repeated numbers, written one by one.
    Numbers(&'static Kind),
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind }
}

pub(crate) static TRACES: Message =
    Message(&[field("resourceSpans", 1, Kind::Repeated(&RESOURCE_SPANS))]);

pub(crate) static LOGS: Message =
    Message(&[field("resourceLogs", 1, Kind::Repeated(&RESOURCE_LOGS))]);

pub(crate) static METRICS: Message =
    Message(&[field("resourceMetrics", 1, Kind::Repeated(&RESOURCE_METRICS))]);

static RESOURCE_SPANS: Message = Message(&[
    field("resource", 1, Kind::Message(&RESOURCE)),
    field("scopeSpans", 2, Kind::Repeated(&SCOPE_SPANS)),
    field("schemaUrl", 3, Kind::Text),
]);

static RESOURCE_LOGS: Message = Message(&[
    field("resource", 1, Kind::Message(&RESOURCE)),
    field("scopeLogs", 2, Kind::Repeated(&SCOPE_LOGS)),
    field("schemaUrl", 3, Kind::Text),
]);

static RESOURCE_METRICS: Message = Message(&[
    field("resource", 1, Kind::Message(&RESOURCE)),
    field("scopeMetrics", 2, Kind::Repeated(&SCOPE_METRICS)),
    field("schemaUrl", 3, Kind::Text),
]);

static RESOURCE: Message = Message(&[
    field("attributes", 1, Kind::Repeated(&KEY_VALUE)),
    field("droppedAttributesCount", 2, Kind::Uint32),
]);

static SCOPE_SPANS: Message = Message(&[
    field("scope", 1, Kind::Message(&SCOPE)),
    field("spans", 2, Kind::Repeated(&SPAN)),
    field("schemaUrl", 3, Kind::Text),
]);

static SCOPE_LOGS: Message = Message(&[
    field("scope", 1, Kind::Message(&SCOPE)),
    field("logRecords", 2, Kind::Repeated(&LOG_RECORD)),
    field("schemaUrl", 3, Kind::Text),
]);

static SCOPE: Message = Message(&[
    field("name", 1, Kind::Text),
    field("version", 2, Kind::Text),
    field("attributes", 3, Kind::Repeated(&KEY_VALUE)),
    field("droppedAttributesCount", 4, Kind::Uint32),
]);

static SPAN: Message = Message(&[
    field("traceId", 1, Kind::Id),
    field("spanId", 2, Kind::Id),
    field("traceState", 3, Kind::Text),
    field("parentSpanId", 4, Kind::Id),
    field("name", 5, Kind::Text),
    field(
        "kind",
        6,
        Kind::Enum(
            "SPAN_KIND_",
            &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"],
        ),
    ),
    field("startTimeUnixNano", 7, Kind::Fixed64),
    field("endTimeUnixNano", 8, Kind::Fixed64),
    field("attributes", 9, Kind::Repeated(&KEY_VALUE)),
    field("droppedAttributesCount", 10, Kind::Uint32),
    field("events", 11, Kind::Repeated(&EVENT)),
    field("droppedEventsCount", 12, Kind::Uint32),
    field("links", 13, Kind::Repeated(&LINK)),
    field("droppedLinksCount", 14, Kind::Uint32),
    field("status", 15, Kind::Message(&STATUS)),
    field("flags", 16, Kind::Fixed32),
]);

static EVENT: Message = Message(&[
    field("timeUnixNano", 1, Kind::Fixed64),
    field("name", 2, Kind::Text),
    field("attributes", 3, Kind::Repeated(&KEY_VALUE)),
    field("droppedAttributesCount", 4, Kind::Uint32),
]);

static LINK: Message = Message(&[
    field("traceId", 1, Kind::Id),
    field("spanId", 2, Kind::Id),
    field("traceState", 3, Kind::Text),
    field("attributes", 4, Kind::Repeated(&KEY_VALUE)),
    field("droppedAttributesCount", 5, Kind::Uint32),
    field("flags", 6, Kind::Fixed32),
]);

static STATUS: Message = Message(&[
    field("message", 2, Kind::Text),
    field("code", 3, Kind::Enum("STATUS_CODE_", &["UNSET", "OK", "ERROR"])),
]);

static LOG_RECORD: Message = Message(&[
    field("timeUnixNano", 1, Kind::Fixed64),
    field("severityNumber", 2, Kind::Enum("SEVERITY_NUMBER_", SEVERITIES)),
    field("severityText", 3, Kind::Text),
    field("body", 5, Kind::Message(&ANY_VALUE)),
    field("attributes", 6, Kind::Repeated(&KEY_VALUE)),
    field("droppedAttributesCount", 7, Kind::Uint32),
    field("flags", 8, Kind::Fixed32),
    field("traceId", 9, Kind::Id),
    field("spanId", 10, Kind::Id),
    field("observedTimeUnixNano", 11, Kind::Fixed64),
    field("eventName", 12, Kind::Text),
]);

static SCOPE_METRICS: Message = Message(&[
    field("scope", 1, Kind::Message(&SCOPE)),
    field("metrics", 2, Kind::Repeated(&METRIC)),
    field("schemaUrl", 3, Kind::Text),
]);

static METRIC: Message = Message(&[
    field("name", 1, Kind::Text),
    field("description", 2, Kind::Text),
    field("unit", 3, Kind::Text),
    field("gauge", 5, Kind::Message(&NUMBERS)),
    field("sum", 7, Kind::Message(&NUMBERS)),
    field("histogram", 9, Kind::Message(&HISTOGRAMS)),
    field("exponentialHistogram", 10, Kind::Message(&EXPONENTIALS)),
    field("summary", 11, Kind::Message(&SUMMARIES)),
    field("metadata", 12, Kind::Repeated(&KEY_VALUE)),
]);

const TEMPORALITY: Kind =
    Kind::Enum("AGGREGATION_TEMPORALITY_", &["UNSPECIFIED", "DELTA", "CUMULATIVE"]);

/// A gauge or a sum.
static NUMBERS: Message = Message(&[
    field("dataPoints", 1, Kind::Repeated(&NUMBER_POINT)),
    field("aggregationTemporality", 2, TEMPORALITY),
    field("isMonotonic", 3, Kind::Bool),
]);

static HISTOGRAMS: Message = Message(&[
    field("dataPoints", 1, Kind::Repeated(&HISTOGRAM_POINT)),
    field("aggregationTemporality", 2, TEMPORALITY),
]);

static EXPONENTIALS: Message = Message(&[
    field("dataPoints", 1, Kind::Repeated(&EXPONENTIAL_POINT)),
    field("aggregationTemporality", 2, TEMPORALITY),
]);

static SUMMARIES: Message = Message(&[field("dataPoints", 1, Kind::Repeated(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = Message(&[
    field("startTimeUnixNano", 2, Kind::Fixed64),
    field("timeUnixNano", 3, Kind::Fixed64),
    field("asDouble", 4, Kind::Double),
    field("exemplars", 5, Kind::Repeated(&EXEMPLAR)),
    field("asInt", 6, Kind::Sfixed64),
    field("attributes", 7, Kind::Repeated(&KEY_VALUE)),
    field("flags", 8, Kind::Uint32),
]);

static HISTOGRAM_POINT: Message = Message(&[
    field("startTimeUnixNano", 2, Kind::Fixed64),
    field("timeUnixNano", 3, Kind::Fixed64),
    field("count", 4, Kind::Fixed64),
    field("sum", 5, Kind::Double),
    field("bucketCounts", 6, Kind::Numbers(&Kind::Fixed64)),
    field("explicitBounds", 7, Kind::Numbers(&Kind::Double)),
    field("exemplars", 8, Kind::Repeated(&EXEMPLAR)),
    field("attributes", 9, Kind::Repeated(&KEY_VALUE)),
    field("flags", 10, Kind::Uint32),
    field("min", 11, Kind::Double),
    field("max", 12, Kind::Double),
]);

static EXPONENTIAL_POINT: Message = Message(&[
    field("attributes", 1, Kind::Repeated(&KEY_VALUE)),
    field("startTimeUnixNano", 2, Kind::Fixed64),
    field("timeUnixNano", 3, Kind::Fixed64),
    field("count", 4, Kind::Fixed64),
    field("sum", 5, Kind::Double),
    field("scale", 6, Kind::Sint32),
    field("zeroCount", 7, Kind::Fixed64),
    field("positive", 8, Kind::Message(&BUCKETS)),
    field("negative", 9, Kind::Message(&BUCKETS)),
    field("flags", 10, Kind::Uint32),
    field("exemplars", 11, Kind::Repeated(&EXEMPLAR)),
    field("min", 12, Kind::Double),
    field("max", 13, Kind::Double),
    field("zeroThreshold", 14, Kind::Double),
]);

static BUCKETS: Message = Message(&[
    field("offset", 1, Kind::Sint32),
    field("bucketCounts", 2, Kind::Numbers(&Kind::Uint64)),
]);

static SUMMARY_POINT: Message = Message(&[
    field("startTimeUnixNano", 2, Kind::Fixed64),
    field("timeUnixNano", 3, Kind::Fixed64),
    field("count", 4, Kind::Fixed64),
    field("sum", 5, Kind::Double),
    field("quantileValues", 6, Kind::Repeated(&QUANTILE)),
    field("attributes", 7, Kind::Repeated(&KEY_VALUE)),
    field("flags", 8, Kind::Uint32),
]);

static QUANTILE: Message =
    Message(&[field("quantile", 1, Kind::Double), field("value", 2, Kind::Double)]);

static EXEMPLAR: Message = Message(&[
    field("timeUnixNano", 2, Kind::Fixed64),
    field("asDouble", 3, Kind::Double),
    field("spanId", 4, Kind::Id),
    field("traceId", 5, Kind::Id),
    field("asInt", 6, Kind::Sfixed64),
    field("filteredAttributes", 7, Kind::Repeated(&KEY_VALUE)),
]);

const SEVERITIES: &[&str] = &[
    "UNSPECIFIED",
    "TRACE",
    "TRACE2",
    "TRACE3",
    "TRACE4",
    "DEBUG",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "INFO",
    "INFO2",
    "INFO3",
    "INFO4",
    "WARN",
    "WARN2",
    "WARN3",
    "WARN4",
    "ERROR",
    "ERROR2",
    "ERROR3",
    "ERROR4",
    "FATAL",
    "FATAL2",
    "FATAL3",
    "FATAL4",
];

static KEY_VALUE: Message =
    Message(&[field("key", 1, Kind::Text), field("value", 2, Kind::Message(&ANY_VALUE))]);

static ANY_VALUE: Message = Message(&[
    field("stringValue", 1, Kind::Text),
    field("boolValue", 2, Kind::Bool),
    field("intValue", 3, Kind::Int64),
    field("doubleValue", 4, Kind::Double),
    field("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
    field("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
    field("bytesValue", 7, Kind::Bytes),
]);

static ARRAY_VALUE: Message = Message(&[field("values", 1, Kind::Repeated(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = Message(&[field("values", 1, Kind::Repeated(&KEY_VALUE))]);

/// JSON that cannot be transcoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonError {
    /// `resourceSpans[0].scopeSpans[0].spans[3].traceId`.
    pub(crate) path: String,
    /// What is wrong there, with line and column.
    pub(crate) problem: String,
}

/// The protobuf message that `json` means.
pub(crate) fn transcode(message: &'static Message, json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut state = State { out: Writer::with_capacity(json.len()), path: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let parsed = Seed { state: &mut state, what: What::Message(message) }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match parsed {
        Ok(()) => Ok(state.out.finish()),
        Err(error) => Err(JsonError { path: state.path(), problem: error.to_string() }),
    }
}

struct State {
    out: Writer,
    /// Where the parser is; left as it was when there is an error.
    path: Vec<Step>,
}

enum Step {
    Field(&'static str),
    Element(usize),
}

impl State {
    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Element(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

/// What is expected next.
#[derive(Clone, Copy)]
enum What {
    /// The fields of a message, which is already open.
    Message(&'static Message),
    /// A field's value, with its number.
    Value(u32, Kind),
}

struct Seed<'s> {
    state: &'s mut State,
    what: What,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn unsigned<E: Error>(self, value: u64) -> Result<(), E> {
        let What::Value(number, kind) = self.what else { return Err(self.unexpected(value)) };
        let out = &mut self.state.out;
        match kind {
            Kind::Int64 => {
                let value = i64::try_from(value).map_err(|_| E::custom("over 63 bits"))?;
                out.varint(number, value.cast_unsigned());
            }
            Kind::Sfixed64 => {
                let value = i64::try_from(value).map_err(|_| E::custom("over 63 bits"))?;
                out.fixed64(number, value.cast_unsigned());
            }
            Kind::Sint32 => {
                let value = i32::try_from(value).map_err(|_| E::custom("over 31 bits"))?;
                out.varint(number, zigzag(value));
            }
            Kind::Uint64 => out.varint(number, value),
            Kind::Fixed64 => out.fixed64(number, value),
            Kind::Uint32 => out.varint(number, u64::from(narrow::<E>(value)?)),
            Kind::Fixed32 => out.fixed32(number, narrow::<E>(value)?),
            Kind::Enum(..) => out.varint(number, u64::from(narrow::<E>(value)?)),
            #[expect(clippy::cast_precision_loss, reason = "as JSON numbers are")]
            Kind::Double => out.fixed64(number, (value as f64).to_bits()),
            Kind::Bool if value <= 1 => out.varint(number, value),
            _ => return Err(self.unexpected(value)),
        }
        Ok(())
    }

    #[cold]
    fn unexpected<E: Error>(&self, found: impl fmt::Display) -> E {
        E::custom(format_args!("{found} found, {} expected", Expected(self.what)))
    }
}

fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)).cast_unsigned())
}

fn narrow<E: Error>(value: u64) -> Result<u32, E> {
    u32::try_from(value).map_err(|_| E::custom(format_args!("{value} is over 32 bits")))
}

struct Expected(What);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            What::Message(_) | What::Value(_, Kind::Message(_)) => "an object",
            What::Value(_, Kind::Repeated(_) | Kind::Numbers(_)) => "an array",
            What::Value(_, Kind::Text) => "text",
            What::Value(_, Kind::Id) => "hexadecimal digits",
            What::Value(_, Kind::Bytes) => "base64",
            What::Value(_, Kind::Bool) => "true or false",
            What::Value(_, Kind::Enum(..)) => "a number or a name of the enum",
            What::Value(_, Kind::Double) => "a number",
            What::Value(_, _) => "an integer",
        })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Expected(self.what))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.what {
            What::Value(number, Kind::Bool) => {
                self.state.out.varint(number, u64::from(value));
                Ok(())
            }
            _ => Err(self.unexpected(value)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.unsigned(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        if let Ok(value) = u64::try_from(value) {
            return self.unsigned(value);
        }
        match self.what {
            // Protobuf writes negative enums as 64 bits, as it does integers.
            What::Value(number, Kind::Int64 | Kind::Enum(..)) => {
                self.state.out.varint(number, value.cast_unsigned());
            }
            What::Value(number, Kind::Sfixed64) => {
                self.state.out.fixed64(number, value.cast_unsigned());
            }
            What::Value(number, Kind::Sint32) => {
                let value = i32::try_from(value).map_err(|_| E::custom("over 31 bits"))?;
                self.state.out.varint(number, zigzag(value));
            }
            #[expect(clippy::cast_precision_loss, reason = "as JSON numbers are")]
            What::Value(number, Kind::Double) => {
                self.state.out.fixed64(number, (value as f64).to_bits());
            }
            _ => return Err(self.unexpected(value)),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if let What::Value(number, Kind::Double) = self.what {
            self.state.out.fixed64(number, value.to_bits());
            return Ok(());
        }
        // 1e3 is an integer too.
        #[expect(clippy::cast_possible_truncation, reason = "compared right behind")]
        let integer = value as i64;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "exactness is the point")]
        if integer as f64 == value && integer.unsigned_abs() < 1 << 53 {
            return self.visit_i64(integer);
        }
        Err(self.unexpected(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let What::Value(number, kind) = self.what else { return Err(self.unexpected("text")) };
        let out = &mut self.state.out;
        match kind {
            Kind::Text => out.bytes(number, text.as_bytes()),
            Kind::Id => match unhex(text) {
                Some(id) => out.bytes(number, &id),
                None => return Err(self.unexpected(format_args!("{:?}", short(text)))),
            },
            Kind::Bytes => match unbase64(text) {
                Some(bytes) => out.bytes(number, &bytes),
                None => return Err(self.unexpected(format_args!("{:?}", short(text)))),
            },
            Kind::Double => match text.parse::<f64>() {
                Ok(value) => out.fixed64(number, value.to_bits()),
                Err(_) => return Err(self.unexpected(format_args!("{:?}", short(text)))),
            },
            Kind::Enum(prefix, names) => {
                let name = text.strip_prefix(prefix).unwrap_or(text);
                match names.iter().position(|known| *known == name) {
                    Some(value) => out.varint(number, value as u64),
                    None => return self.visit_number_text(text),
                }
            }
            _ => return self.visit_number_text(text),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let (number, message) = match self.what {
            What::Value(number, Kind::Repeated(message)) => (number, message),
            What::Value(number, Kind::Numbers(kind)) => {
                let what = What::Value(number, *kind);
                while elements.next_element_seed(Seed { state: &mut *self.state, what })?.is_some()
                {
                }
                return Ok(());
            }
            _ => return Err(self.unexpected("an array")),
        };
        for index in 0.. {
            self.state.path.push(Step::Element(index));
            let open = self.state.out.open(number);
            let what = What::Message(message);
            // The end of the array looks like an element at first; what was opened is taken back.
            let more = elements.next_element_seed(Seed { state: &mut *self.state, what })?;
            match more {
                Some(()) => self.state.out.close(open),
                None => self.state.out.take_back(open, number),
            }
            self.state.path.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let (message, open) = match self.what {
            What::Message(message) => (message, None),
            What::Value(number, Kind::Message(message)) => {
                (message, Some(self.state.out.open(number)))
            }
            What::Value(..) => return Err(self.unexpected("an object")),
        };
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            match message.0.iter().find(|field| is_named(field, &name)) {
                Some(field) => {
                    self.state.path.push(Step::Field(field.name));
                    let what = What::Value(field.number, field.kind);
                    fields.next_value_seed(Seed { state: &mut *self.state, what })?;
                    self.state.path.pop();
                }
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        if let Some(open) = open {
            self.state.out.close(open);
        }
        Ok(())
    }
}

impl Seed<'_> {
    /// A number in quotes, as 64-bit integers are sent.
    fn visit_number_text<E: Error>(self, text: &str) -> Result<(), E> {
        if matches!(
            self.what,
            What::Value(_, Kind::Bool | Kind::Message(_) | Kind::Repeated(_) | Kind::Numbers(_))
        ) {
            return Err(self.unexpected(format_args!("{:?}", short(text))));
        }
        if let Ok(value) = text.parse::<u64>() {
            self.unsigned(value)
        } else if let Ok(value) = text.parse::<i64>() {
            self.visit_i64(value)
        } else if let Ok(value) = text.parse::<f64>()
            && value.is_finite()
        {
            self.visit_f64(value)
        } else {
            Err(self.unexpected(format_args!("{:?}", short(text))))
        }
    }
}

/// Whether the field has this name, in lowerCamelCase or in snake_case.
fn is_named(field: &Field, name: &str) -> bool {
    if field.name == name {
        return true;
    }
    let mut snake = name.bytes();
    for byte in field.name.bytes() {
        if byte.is_ascii_uppercase() && snake.next() != Some(b'_') {
            return false;
        }
        if snake.next() != Some(byte.to_ascii_lowercase()) {
            return false;
        }
    }
    snake.next().is_none()
}

/// The beginning of a text, for error messages.
fn short(text: &str) -> String {
    const CHARS: usize = 40;
    let mut short: String = text.chars().take(CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    // The URL-safe alphabet is accepted as well, as protobuf's JSON mapping asks.
    let text: Cow<'_, str> = if text.contains(['-', '_']) {
        Cow::Owned(text.replace('-', "+").replace('_', "/"))
    } else {
        Cow::Borrowed(text)
    };
    ENGINE.decode(text.as_bytes()).ok()
}
