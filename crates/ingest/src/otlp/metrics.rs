//! Metrics of OpenTelemetry as series of Prometheus.
//!
//! It follows Prometheus's own receiver: names and units by one of four strategies, `job` and
//! `instance` from the resource, the rest of the resource in `target_info`, exponential histograms
//! as native ones, explicit ones as classic or as native ones with custom buckets, exemplars with
//! their trace, and a stale marker where there is no recorded value. Start times come along.
//!
//! Deltas are refused, or summed up in memory ([`DeltaLimits`]), or stored as they are: see
//! [`DeltaPolicy`]. What is refused is told in a partial success.

mod delta;
mod histogram;
mod labels;
mod naming;
mod points;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use model::Tenant;
use model::metric::{Metadata, MetricType};
use parking_lot::RwLock;
use stdx::memory::Reservation;

pub use self::delta::DeltaLimits;
use self::delta::Deltas;
use self::labels::{ResourceLabels, ScopeLabels, read_attributes};
pub use self::naming::Strategy;
use self::naming::{Nature, metric_name, unit_name};
use self::series::Family;
use crate::body::{self, Encoding, Held, Rules};
use crate::metric_sink::Written;
use crate::metrics::labels::cut;
use crate::metrics::receiver::{Context, Decoded, Growing, MetricRequest};
use crate::metrics::rejections::Invalid;
use crate::metrics::stop::Stop;
use crate::metrics::{MetricLimits, MetricReceiver};
use crate::prometheus;
use crate::receiver::Payload;
use crate::refusal::Refusal;
use crate::wire::{Field, Problem, Read, Reader};

/// What becomes of points that say what was added since the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeltaPolicy {
    /// They are rejected, as Prometheus does unless told otherwise.
    #[default]
    Reject,
    /// They are summed up, and the sums are stored.
    Cumulate,
    /// They are stored as they are, as gauges of unknown type.
    Store,
}

/// Which resource attributes become labels of every series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promotion {
    /// These.
    Listed(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

/// What becomes of OpenTelemetry's metrics: the `otlp` part of `prometheus.yml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// What becomes of names.
    pub strategy: Strategy,
    /// `promote_resource_attributes`, `promote_all_resource_attributes`,
    /// `ignore_resource_attributes`.
    pub resource: Promotion,
    /// `keep_identifying_resource_attributes`: `target_info` has the attributes that became `job`
    /// and `instance` too.
    pub keeps_identifying: bool,
    /// `promote_scope_metadata`.
    pub promotes_scope: bool,
    /// `convert_histograms_to_nhcb`.
    pub custom_buckets: bool,
    /// `label_name_underscore_sanitization`.
    pub sanitises_underscore: bool,
    /// `label_name_preserve_multiple_underscores`.
    pub keeps_underscores: bool,
    /// What becomes of deltas.
    pub deltas: DeltaPolicy,
    /// Half of this lies between two samples of `target_info`, milliseconds.
    pub lookback_ms: i64,
}

impl Default for Translation {
    /// As Prometheus does it when it is told nothing.
    fn default() -> Translation {
        Translation {
            strategy: Strategy::default(),
            resource: Promotion::Listed(Vec::new()),
            keeps_identifying: false,
            promotes_scope: false,
            custom_buckets: false,
            sanitises_underscore: true,
            keeps_underscores: true,
            deltas: DeltaPolicy::Reject,
            lookback_ms: 300_000,
        }
    }
}

impl From<&prometheus::Otlp> for Translation {
    /// As the section `otlp` says.
    fn from(otlp: &prometheus::Otlp) -> Translation {
        Translation {
            strategy: otlp.translation_strategy,
            resource: if otlp.promote_all_resource_attributes {
                Promotion::AllBut(otlp.ignore_resource_attributes.clone())
            } else {
                Promotion::Listed(otlp.promote_resource_attributes.clone())
            },
            keeps_identifying: otlp.keep_identifying_resource_attributes,
            promotes_scope: otlp.promote_scope_metadata,
            custom_buckets: otlp.convert_histograms_to_nhcb,
            sanitises_underscore: otlp.label_name_underscore_sanitization,
            keeps_underscores: otlp.label_name_preserve_multiple_underscores,
            ..Translation::default()
        }
    }
}

/// Takes OTLP metrics in. Clones share the streams of deltas.
#[derive(Debug, Clone)]
pub struct OtlpMetrics {
    receiver: MetricReceiver,
    /// May be set anew while requests are taken.
    translation: Arc<RwLock<Arc<Translation>>>,
    deltas: Arc<Deltas>,
}

impl OtlpMetrics {
    /// One that hands its samples to `receiver`.
    #[must_use]
    pub fn new(
        receiver: MetricReceiver,
        translation: Translation,
        deltas: DeltaLimits,
    ) -> OtlpMetrics {
        let deltas = Arc::new(Deltas::new(deltas));
        let translation = Arc::new(RwLock::new(Arc::new(translation)));
        OtlpMetrics { receiver, translation, deltas }
    }

    /// The same receiver and streams with a translation of its own.
    #[must_use]
    pub fn with_translation(&self, translation: Translation) -> OtlpMetrics {
        let translation = Arc::new(RwLock::new(Arc::new(translation)));
        OtlpMetrics { translation, ..self.clone() }
    }

    /// Another translation from the next request on, in all clones, but for what becomes of
    /// deltas: as after a reload.
    pub fn translate_by(&self, translation: Translation) {
        let mut current = self.translation.write();
        *current = Arc::new(Translation { deltas: current.deltas, ..translation });
    }

    /// Takes one request in; `open` tells, from the bytes as they came, what they are.
    pub(crate) async fn receive<B>(
        &self,
        request: MetricRequest<B>,
        open: impl FnOnce(Bytes) -> Result<(Bytes, Payload, Encoding), Refusal> + Send + 'static,
    ) -> Result<Written, Refusal>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let (metrics, tenant) = (self.clone(), request.tenant.clone());
        let decode = move |held: Held, context: &Context| {
            let rules = Rules {
                bytes_max: context.limits.decompressed_bytes_max,
                timeout: std::time::Duration::ZERO,
                retry_after: context.retry_after,
            };
            let (bytes, payload, encoding) = open(held.bytes)?;
            let mut held = body::decompress(Held { bytes, memory: held.memory }, encoding, &rules)?;
            if payload == Payload::Json {
                let full = |full| Refusal::memory(&full, context.retry_after);
                // Numbers in arrays take up to 10 bytes as protobuf for 2 as JSON.
                held.memory.resize(6 * held.bytes.len()).map_err(full)?;
                held.bytes = super::transcode_metrics(&held.bytes)?;
                held.memory.resize(held.bytes.len()).map_err(full)?;
            }
            metrics.decode(&tenant, &held.bytes, held.memory, context)
        };
        self.receiver.receive(request, decode).await
    }

    /// Decodes an `ExportMetricsServiceRequest`; `memory` covers it.
    fn decode(
        &self,
        tenant: &Tenant,
        body: &[u8],
        memory: Reservation,
        context: &Context,
    ) -> Result<Decoded, Refusal> {
        let translation = Arc::clone(&self.translation.read());
        let mut decoder = Decoder {
            translation: &translation,
            deltas: &self.deltas,
            tenant,
            context,
            into: Growing::new(memory, context),
            points: 0,
            described: BTreeSet::new(),
        };
        match decoder.read(body) {
            Ok(()) => Ok(decoder.into.finish()),
            Err(stop) => Err(stop.refusal("metrics")),
        }
    }
}

/// Decodes a body for tools, benchmarks and fuzzing: gives the batch and how many points were
/// refused, or what is wrong.
pub fn decode_metrics(
    translation: &Translation,
    body: &[u8],
    limits: &MetricLimits,
    memory: Reservation,
) -> Result<(model::metric::Batch, usize), String> {
    let context = Context::of_no_request(limits);
    let deltas = Deltas::new(DeltaLimits::default());
    let mut decoder = Decoder {
        translation,
        deltas: &deltas,
        tenant: &Tenant::default(),
        context: &context,
        into: Growing::new(memory, &context),
        points: 0,
        described: BTreeSet::new(),
    };
    match decoder.read(body) {
        Ok(()) => {
            let decoded = decoder.into.finish();
            Ok((decoded.batch, decoded.rejections.total()))
        }
        Err(stop) => Err(stop.refusal("metrics").to_string()),
    }
}

struct Decoder<'d> {
    translation: &'d Translation,
    deltas: &'d Deltas,
    tenant: &'d Tenant,
    context: &'d Context,
    into: Growing,
    /// Data points so far.
    points: usize,
    /// The families whose metadata was given.
    described: BTreeSet<String>,
}

/// The first and the last time of a resource's points, milliseconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

impl Decoder<'_> {
    fn read(&mut self, body: &[u8]) -> Result<(), Stop> {
        let mut reader = Reader::new(body);
        let mut index = 0;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(message)) => {
                    self.resource(message)
                        .map_err(|stop| stop.in_element("resource_metrics", index))?;
                    index += 1;
                }
                (1, field) => return Err(field.unexpected(1).into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn resource(&mut self, message: &[u8]) -> Result<(), Stop> {
        let mut attributes = Vec::new();
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(resource)) => {
                    collect(resource, 1, &mut attributes).map_err(|f| f.in_field("resource"))?;
                }
                (1, field) => return Err(field.unexpected(1).into()),
                _ => {}
            }
        }
        let attributes = read_attributes(&attributes).map_err(|f| f.in_field("resource"))?;
        self.into
            .count(attributes.iter().map(|(key, value)| key.len() + value.len() + 48).sum())?;
        let resource = ResourceLabels::new(self.translation, attributes);
        let mut span = Span { first: i64::MAX, last: i64::MIN };
        let mut reader = Reader::new(message);
        let mut index = 0;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (2, Field::Bytes(message)) => {
                    self.scope(message, &resource, &mut span)
                        .map_err(|stop| stop.in_element("scope_metrics", index))?;
                    index += 1;
                }
                (2, field) => return Err(field.unexpected(2).into()),
                _ => {}
            }
        }
        if span.first <= span.last {
            self.target_info(&resource, span)?;
        }
        Ok(())
    }

    fn scope(
        &mut self,
        message: &[u8],
        resource: &ResourceLabels<'_>,
        span: &mut Span,
    ) -> Result<(), Stop> {
        let mut scope: &[u8] = &[];
        let mut schema_url = "";
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(message)) => scope = message,
                (3, Field::Bytes(url)) => schema_url = utf8(url)?,
                (1 | 3, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        let scope = self.scope_labels(scope, schema_url).map_err(|f| f.in_field("scope"))?;
        let mut reader = Reader::new(message);
        let mut index = 0;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (2, Field::Bytes(message)) => {
                    self.metric(message, resource, &scope, span)
                        .map_err(|stop| stop.in_element("metrics", index))?;
                    index += 1;
                }
                (2, field) => return Err(field.unexpected(2).into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn scope_labels<'a>(&self, scope: &'a [u8], schema_url: &'a str) -> Read<ScopeLabels<'a>> {
        let (mut name, mut version, mut attributes) = ("", "", Vec::new());
        let mut reader = Reader::new(scope);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(text)) => name = utf8(text)?,
                (2, Field::Bytes(text)) => version = utf8(text)?,
                (3, Field::Bytes(attribute)) => attributes.push(attribute),
                (1..=3, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        let attributes = read_attributes(&attributes)?;
        Ok(ScopeLabels::new(self.translation, name, version, schema_url, attributes))
    }

    fn metric(
        &mut self,
        message: &[u8],
        resource: &ResourceLabels<'_>,
        scope: &ScopeLabels<'_>,
        span: &mut Span,
    ) -> Result<(), Stop> {
        let (mut name, mut help, mut unit) = ("", "", "");
        let mut data = None;
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(text)) => name = utf8(text)?,
                (2, Field::Bytes(text)) => help = utf8(text)?,
                (3, Field::Bytes(text)) => unit = utf8(text)?,
                (number @ (5 | 7 | 9 | 10 | 11), Field::Bytes(message)) => {
                    data = Some((number, message));
                }
                (1..=3 | 5 | 7 | 9..=11, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        let Some((number, data)) = data else { return Ok(()) };
        let data = MetricData::read(number, data)?;
        let Some(built) = metric_name(self.translation.strategy, name, unit, data.nature()) else {
            let example = || format!("normalization for metric {name:?} resulted in empty name");
            self.into.rejections.add(Invalid::Name, data.points.len(), example);
            return Ok(());
        };
        if data.is_refused(self.translation.deltas) {
            let example = || format!("metric {name:?}");
            self.into.rejections.add(Invalid::Delta, data.points.len(), example);
            return Ok(());
        }
        if built.len() + "_bucket".len() > self.context.limits.label_value_bytes_max {
            self.into.rejections.add(Invalid::LabelValueLength, data.points.len(), || built);
            return Ok(());
        }
        self.metadata(&built, data.kind(self.translation.deltas), help, unit)?;
        let family = Family { name: &built, data: &data, resource, scope };
        for (index, point) in data.points.iter().enumerate() {
            self.point(&family, point, span)
                .map_err(|stop| stop.in_element("data_points", index))?;
        }
        Ok(())
    }

    fn metadata(
        &mut self,
        metric: &str,
        kind: MetricType,
        help: &str,
        unit: &str,
    ) -> Result<(), Stop> {
        if self.described.contains(metric) {
            return Ok(());
        }
        let help = cut(help, self.context.limits.help_bytes_max).to_owned();
        let unit = unit_name(self.translation.strategy, unit);
        let unit = cut(&unit, self.context.limits.help_bytes_max).to_owned();
        let text = 2 * metric.len() + help.len() + unit.len();
        self.into.count(size_of::<Metadata>() + 48 + text)?;
        self.described.insert(metric.to_owned());
        self.into.batch.metadata(Metadata { metric: metric.to_owned(), kind, help, unit });
        Ok(())
    }
}

/// What a metric's points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Gauge,
    Sum,
    Explicit,
    Exponential,
    Summary,
}

/// A metric's points and what they mean.
#[derive(Debug)]
struct MetricData<'a> {
    shape: Shape,
    points: Vec<&'a [u8]>,
    /// 0 is unspecified, 1 is delta, 2 is cumulative.
    temporality: u64,
    is_monotonic: bool,
}

impl<'a> MetricData<'a> {
    fn read(number: u32, message: &'a [u8]) -> Read<MetricData<'a>> {
        let shape = match number {
            5 => Shape::Gauge,
            7 => Shape::Sum,
            9 => Shape::Explicit,
            10 => Shape::Exponential,
            _ => Shape::Summary,
        };
        let mut data =
            MetricData { shape, points: Vec::new(), temporality: 0, is_monotonic: false };
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(point)) => data.points.push(point),
                (2, Field::Varint(value)) => data.temporality = value,
                (3, Field::Varint(value)) => data.is_monotonic = value != 0,
                (1..=3, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        Ok(data)
    }

    fn nature(&self) -> Nature {
        match self.shape {
            Shape::Gauge => Nature::Gauge,
            Shape::Sum if self.is_monotonic => Nature::Counter,
            _ => Nature::Other,
        }
    }

    fn has_temporality(&self) -> bool {
        !matches!(self.shape, Shape::Gauge | Shape::Summary)
    }

    fn is_delta(&self) -> bool {
        self.has_temporality() && self.temporality == 1
    }

    /// Whether it is of no temporality that is known, or of one that is not taken.
    fn is_refused(&self, policy: DeltaPolicy) -> bool {
        self.has_temporality()
            && match self.temporality {
                1 => policy == DeltaPolicy::Reject,
                2 => false,
                _ => true,
            }
    }

    fn kind(&self, policy: DeltaPolicy) -> MetricType {
        if self.is_delta() && policy == DeltaPolicy::Store {
            return MetricType::Unknown;
        }
        match self.shape {
            Shape::Sum if self.is_monotonic => MetricType::Counter,
            Shape::Gauge | Shape::Sum => MetricType::Gauge,
            Shape::Explicit | Shape::Exponential => MetricType::Histogram,
            Shape::Summary => MetricType::Summary,
        }
    }
}

/// The elements of field `number`.
fn collect<'a>(message: &'a [u8], number: u32, into: &mut Vec<&'a [u8]>) -> Read<()> {
    let mut reader = Reader::new(message);
    while let Some((found, field)) = reader.next()? {
        match field {
            Field::Bytes(element) if found == number => into.push(element),
            field if found == number => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(())
}

fn utf8(text: &[u8]) -> Read<&str> {
    std::str::from_utf8(text).map_err(|_| Problem::NotUtf8.fault())
}
