//! Labels of series, from the attributes of data points, scopes and resources.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::metric::{Batch, NAME_LABEL};

use super::naming::label_name;
use super::{Promotion, Translation};
use crate::metrics::MetricLimits;
use crate::metrics::rejections::Invalid;
use crate::otlp::value::{Value, elements, read_key_value};
use crate::wire::{Problem, Read};

pub(super) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The attributes that become `job` and `instance`.
pub(super) const IDENTIFYING: [&str; 3] =
    ["service.namespace", "service.name", "service.instance.id"];

/// Reads `KeyValue` messages; keys and values as text.
pub(super) fn read_attributes<'a>(messages: &[&'a [u8]]) -> Read<Vec<Pair<'a>>> {
    messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            let (key, value) = read_key_value(message)
                .and_then(|(key, value)| {
                    let key = std::str::from_utf8(key).map_err(|_| Problem::NotUtf8.fault())?;
                    Ok((Cow::Borrowed(key), value_text(value)?))
                })
                .map_err(|fault| fault.in_element("attributes", index))?;
            Ok((key, value))
        })
        .collect()
}

/// A value as a label has it, as the collector's `AsString` writes it.
fn value_text(value: Value<'_>) -> Read<Cow<'_, str>> {
    Ok(match value {
        Value::Empty | Value::StringIndex => Cow::Borrowed(""),
        Value::Text(text) => {
            Cow::Borrowed(std::str::from_utf8(text).map_err(|_| Problem::NotUtf8.fault())?)
        }
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Int(int) => Cow::Owned(int.to_string()),
        Value::Double(double) => Cow::Owned(double_text(double)),
        Value::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        Value::Array(_) | Value::KeyValues(_) => Cow::Owned(json(value, 0)?.to_string()),
    })
}

fn double_text(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if size != 0.0 && size < 1e-6 {
        format!("{value:e}")
    } else if size >= 1e21 {
        format!("{value:e}").replacen('e', "e+", 1)
    } else {
        value.to_string()
    }
}

fn json(value: Value<'_>, depth: usize) -> Read<serde_json::Value> {
    const DEPTH: usize = 16;
    Ok(match value {
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Double(value) => value.into(),
        Value::Array(_) | Value::KeyValues(_) if depth >= DEPTH => serde_json::Value::Null,
        Value::Array(list) => elements(list)
            .map(|element| json(Value::read(element?)?, depth + 1))
            .collect::<Read<Vec<_>>>()?
            .into(),
        Value::KeyValues(list) => elements(list)
            .map(|element| {
                let (key, value) = read_key_value(element?)?;
                Ok((String::from_utf8_lossy(key).into_owned(), json(value, depth + 1)?))
            })
            .collect::<Read<serde_json::Map<_, _>>>()?
            .into(),
        Value::Text(_) | Value::Bytes(_) => value_text(value)?.into(),
        Value::Empty | Value::StringIndex => serde_json::Value::Null,
    })
}

/// What a resource gives to all of its series.
#[derive(Debug, Default)]
pub(super) struct ResourceLabels<'a> {
    pub(super) attributes: Vec<Pair<'a>>,
    job: Option<String>,
    instance: Option<String>,
    promoted: Vec<Pair<'a>>,
}

impl<'a> ResourceLabels<'a> {
    pub(super) fn new(translation: &Translation, attributes: Vec<Pair<'a>>) -> ResourceLabels<'a> {
        let get = |name: &str| {
            attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
        };
        let job = get("service.name").map(|name| match get("service.namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        });
        let instance = get("service.instance.id").map(str::to_owned);
        let promotes = |key: &str| match &translation.resource {
            Promotion::Listed(names) => names.iter().any(|name| name == key),
            Promotion::AllBut(names) => !names.iter().any(|name| name == key),
        };
        let mut promoted: Vec<Pair<'a>> = attributes
            .iter()
            .filter(|(key, _)| promotes(key))
            .filter_map(|(key, value)| Some((owned_name(translation, key)?, value.clone())))
            .collect();
        promoted.sort_by(|one, two| one.0.cmp(&two.0));
        promoted.dedup_by(|two, one| one.0 == two.0);
        ResourceLabels { attributes, job, instance, promoted }
    }

    /// The same without labels for every series, for `target_info`, which has them all anyway.
    pub(super) fn without_promotion(&self) -> ResourceLabels<'a> {
        ResourceLabels {
            job: self.job.clone(),
            instance: self.instance.clone(),
            ..ResourceLabels::default()
        }
    }

    pub(super) fn is_identified(&self) -> bool {
        self.job.is_some() || self.instance.is_some()
    }
}

fn owned_name<'a>(translation: &Translation, key: &str) -> Option<Cow<'a, str>> {
    let name = label_name(translation, key)?;
    Some(Cow::Owned(name.into_owned()))
}

/// What a scope gives to all of its series, when scopes are promoted.
#[derive(Debug, Default)]
pub(super) struct ScopeLabels<'a>(Vec<Pair<'a>>);

impl<'a> ScopeLabels<'a> {
    pub(super) fn new(
        translation: &Translation,
        name: &'a str,
        version: &'a str,
        schema_url: &'a str,
        attributes: Vec<Pair<'a>>,
    ) -> ScopeLabels<'a> {
        if !translation.promotes_scope || name.is_empty() {
            return ScopeLabels::default();
        }
        let mut labels = vec![
            (Cow::Borrowed("otel_scope_name"), Cow::Borrowed(name)),
            (Cow::Borrowed("otel_scope_version"), Cow::Borrowed(version)),
            (Cow::Borrowed("otel_scope_schema_url"), Cow::Borrowed(schema_url)),
        ];
        for (key, value) in attributes {
            if let Some(name) = owned_name(translation, &format!("otel_scope_{key}")) {
                set(&mut labels, name, value);
            }
        }
        ScopeLabels(labels)
    }
}

fn set<'a>(labels: &mut Vec<Pair<'a>>, name: Cow<'a, str>, value: Cow<'a, str>) {
    match labels.iter_mut().find(|(found, _)| *found == name) {
        Some(label) => label.1 = value,
        None => labels.push((name, value)),
    }
}

/// The labels of one data point: sorted, each once, none empty, without the metric's name.
#[derive(Debug, Default)]
pub(super) struct PointLabels<'a>(Vec<Pair<'a>>);

impl<'a> PointLabels<'a> {
    pub(super) fn new(
        translation: &Translation,
        resource: &'a ResourceLabels<'a>,
        scope: &'a ScopeLabels<'a>,
        mut attributes: Vec<Pair<'a>>,
    ) -> PointLabels<'a> {
        // In order of the keys, so that those that become one label are joined in one order.
        attributes.sort_by(|one, two| one.0.cmp(&two.0));
        let mut labels: Vec<Pair<'a>> = Vec::with_capacity(attributes.len() + 4);
        for (key, value) in attributes {
            let name = match label_name(translation, &key) {
                Some(Cow::Owned(name)) => Cow::Owned(name),
                Some(Cow::Borrowed(_)) => key,
                None => continue,
            };
            match labels.iter_mut().find(|(found, _)| *found == name) {
                Some(label) => label.1 = Cow::Owned(format!("{};{value}", label.1)),
                None => labels.push((name, value)),
            }
        }
        for (name, value) in &resource.promoted {
            if !labels.iter().any(|(found, _)| found == name) {
                labels.push((Cow::Borrowed(name), Cow::Borrowed(value)));
            }
        }
        for (name, value) in &scope.0 {
            set(&mut labels, Cow::Borrowed(name), Cow::Borrowed(value));
        }
        for (name, value) in [("job", &resource.job), ("instance", &resource.instance)] {
            if let Some(value) = value {
                set(&mut labels, Cow::Borrowed(name), Cow::Borrowed(value));
            }
        }
        labels.retain(|(name, value)| !value.is_empty() && name != NAME_LABEL);
        labels.sort_by(|one, two| one.0.cmp(&two.0));
        PointLabels(labels)
    }

    pub(super) fn check(&self, limits: &MetricLimits) -> Result<(), Invalid> {
        // The name, and a bucket's bound.
        if self.0.len() + 2 > limits.labels_per_series_max {
            return Err(Invalid::LabelCount);
        }
        for (name, value) in &self.0 {
            if name.len() > limits.label_name_bytes_max {
                return Err(Invalid::LabelNameLength);
            }
            if value.len() > limits.label_value_bytes_max {
                return Err(Invalid::LabelValueLength);
            }
        }
        Ok(())
    }

    /// How many bytes a series with these labels takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }

    /// Begins a series with these labels, a name, and perhaps one label more, which wins over one of
    /// the same name.
    pub(super) fn begin(&self, batch: &mut Batch, name: &str, extra: Option<(&str, &str)>) {
        batch.begin();
        let mut added = [Some((NAME_LABEL, name)), extra];
        added.sort_by(|one, two| one.map(|pair| pair.0).cmp(&two.map(|pair| pair.0)));
        let mut added = added.into_iter().flatten().peekable();
        for (name, value) in &self.0 {
            while let Some((extra, value)) = added.next_if(|(extra, _)| *extra < name.as_ref()) {
                batch.label(extra, value);
            }
            if added.peek().is_some_and(|(extra, _)| extra == name) {
                continue;
            }
            batch.label(name, value);
        }
        for (name, value) in added {
            batch.label(name, value);
        }
    }

    /// For messages.
    pub(super) fn display(&self, name: &str) -> String {
        let mut batch = Batch::new();
        self.begin(&mut batch, name, None);
        let labels = batch.series().next().map(|series| series.labels.to_vec()).unwrap_or_default();
        model::metric::Labels::from_canonical(&labels).to_string()
    }
}
