//! The exposition formats: Prometheus's text 0.0.4, and OpenMetrics 1.0.0 with exemplars.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use super::snapshot::{Exemplar, Family, Kind, Sample, Snapshot, Value};

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Text,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

impl Format {
    /// What a client asks for by `Accept`: OpenMetrics where it is named and not refused.
    #[must_use]
    pub fn accepted(accept: &str) -> Format {
        let named = |part: &str| {
            let mut fields = part.split(';').map(str::trim);
            let openmetrics = fields
                .next()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
            let refused = |field: &str| {
                let weight = field.strip_prefix("q=").or_else(|| field.strip_prefix("Q="));
                weight.is_some_and(|q| q.trim().parse::<f64>().is_ok_and(|q| q <= 0.0))
            };
            openmetrics && !fields.any(refused)
        };
        if accept.split(',').any(named) { Format::OpenMetrics } else { Format::Text }
    }

    /// The content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
        }
    }
}

pub(super) fn write(snapshot: &Snapshot, format: Format) -> String {
    let mut out = String::new();
    for family in &snapshot.families {
        // A string takes everything.
        let _written = write_family(&mut out, family, format);
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn write_family(out: &mut String, family: &Family, format: Format) -> fmt::Result {
    let openmetrics = format == Format::OpenMetrics;
    let base = match family.kind {
        Kind::Counter if openmetrics => family.name.strip_suffix("_total").unwrap_or(family.name),
        Kind::Info if openmetrics => family.name.strip_suffix("_info").unwrap_or(family.name),
        Kind::Counter | Kind::Info | Kind::Gauge | Kind::Histogram => family.name,
    };
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Info if openmetrics => "info",
        Kind::Info | Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    writeln!(out, "# HELP {base} {}", Escaped(family.help, openmetrics))?;
    writeln!(out, "# TYPE {base} {kind}")?;
    if openmetrics && !family.unit().is_empty() && base.ends_with(family.unit()) {
        writeln!(out, "# UNIT {base} {}", family.unit())?;
    }
    for sample in &family.samples {
        write_sample(out, family, sample, format)?;
    }
    Ok(())
}

fn write_sample(out: &mut String, family: &Family, sample: &Sample, format: Format) -> fmt::Result {
    let (name, labels) = (family.name, &*sample.labels);
    match &sample.value {
        Value::Number(value, exemplar) => {
            // OpenMetrics knows a counter's sample by its suffix.
            let bare = family.kind == Kind::Counter && !name.ends_with("_total");
            let suffix = if bare && format == Format::OpenMetrics { "_total" } else { "" };
            write!(out, "{name}{suffix}{} {}", Labels(labels, None), Number(*value))?;
            write_exemplar(out, exemplar.as_ref(), format)?;
            out.push('\n');
        }
        Value::Histogram { bounds, counts, sum, exemplars } => {
            let mut below = 0_u64;
            for (at, count) in counts.iter().enumerate() {
                below += count;
                let bound = bounds.get(at).copied().unwrap_or(f64::INFINITY);
                let le = Bound(bound, format);
                write!(out, "{name}_bucket{} {below}", Labels(labels, Some(le)))?;
                write_exemplar(out, exemplars.get(at).and_then(Option::as_ref), format)?;
                out.push('\n');
            }
            writeln!(out, "{name}_sum{} {}", Labels(labels, None), Number(*sum))?;
            writeln!(out, "{name}_count{} {below}", Labels(labels, None))?;
        }
    }
    Ok(())
}

fn write_exemplar(out: &mut String, exemplar: Option<&Exemplar>, format: Format) -> fmt::Result {
    let (Some(exemplar), Format::OpenMetrics) = (exemplar, format) else { return Ok(()) };
    let Exemplar { trace_id, span_id, value, time } = exemplar;
    write!(
        out,
        " # {{trace_id=\"{trace_id:032x}\",span_id=\"{span_id:016x}\"}} {} {}",
        Number(*value),
        Seconds(*time)
    )
}

/// `{a="b",le="0.5"}`, or nothing.
struct Labels<'a>(&'a [(&'static str, String)], Option<Bound>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() && self.1.is_none() {
            return Ok(());
        }
        f.write_char('{')?;
        let mut separator = "";
        for (name, value) in self.0 {
            write!(f, "{separator}{name}=\"{}\"", Escaped(value, true))?;
            separator = ",";
        }
        if let Some(bound) = self.1 {
            write!(f, "{separator}le=\"{bound}\"")?;
        }
        f.write_char('}')
    }
}

/// Backslashes and line ends, and quotes where `1`.
struct Escaped<'a>(&'a str, bool);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' if self.1 => f.write_str("\\\"")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            value if value.is_infinite() => f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" }),
            value => write!(f, "{value}"),
        }
    }
}

/// A bound; OpenMetrics wants it to look like a float.
#[derive(Clone, Copy)]
struct Bound(f64, Format);

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 == Format::OpenMetrics && self.0.is_finite() {
            write!(f, "{:?}", self.0)
        } else {
            write!(f, "{}", Number(self.0))
        }
    }
}

/// Seconds since 1970, to the millisecond.
struct Seconds(SystemTime);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(f, "{}.{:03}", since.as_secs(), since.subsec_millis())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn snapshot() -> Snapshot {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_255_200_123);
        let exemplar = Exemplar { trace_id: 0xab, span_id: 0xcd, value: 0.7, time };
        let family = |name, help, kind, labels, value| Family {
            name,
            help,
            kind,
            samples: vec![Sample { labels, value }],
        };
        let histogram = Value::Histogram {
            bounds: &[0.5, 1.0],
            counts: vec![1, 2, 0],
            sum: 1.5,
            exemplars: vec![None, Some(exemplar), None],
        };
        let families = vec![
            family(
                "a_total",
                "Says \"a\\b\"\nand more",
                Kind::Counter,
                vec![("l", "x\"\\\n".to_owned())],
                Value::Number(3.0, Some(exemplar)),
            ),
            family("b_seconds", "", Kind::Histogram, Vec::new(), histogram),
            family("c", "", Kind::Gauge, Vec::new(), Value::Number(f64::NAN, None)),
            family("d_info", "", Kind::Info, vec![("v", "1".to_owned())], Value::Number(1.0, None)),
        ];
        Snapshot { families, started: time, now: time }
    }

    #[test]
    fn text_is_what_every_scraper_reads() {
        assert_eq!(
            write(&snapshot(), Format::Text),
            r#"# HELP a_total Says "a\\b"\nand more
# TYPE a_total counter
a_total{l="x\"\\\n"} 3
# HELP b_seconds 
# TYPE b_seconds histogram
b_seconds_bucket{le="0.5"} 1
b_seconds_bucket{le="1"} 3
b_seconds_bucket{le="+Inf"} 3
b_seconds_sum 1.5
b_seconds_count 3
# HELP c 
# TYPE c gauge
c NaN
# HELP d_info 
# TYPE d_info gauge
d_info{v="1"} 1
"#
        );
    }

    #[test]
    fn openmetrics_has_units_exemplars_and_an_end() {
        let exemplar = r#" # {trace_id="000000000000000000000000000000ab",span_id="00000000000000cd"} 0.7 1795255200.123"#;
        assert_eq!(
            write(&snapshot(), Format::OpenMetrics),
            format!(
                r#"# HELP a Says \"a\\b\"\nand more
# TYPE a counter
a_total{{l="x\"\\\n"}} 3{exemplar}
# HELP b_seconds 
# TYPE b_seconds histogram
# UNIT b_seconds seconds
b_seconds_bucket{{le="0.5"}} 1
b_seconds_bucket{{le="1.0"}} 3{exemplar}
b_seconds_bucket{{le="+Inf"}} 3
b_seconds_sum 1.5
b_seconds_count 3
# HELP c 
# TYPE c gauge
c NaN
# HELP d 
# TYPE d info
d_info{{v="1"}} 1
# EOF
"#
            )
        );
    }

    #[test]
    fn the_format_is_the_clients_choice() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain", Format::Text),
            ("application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1", Format::OpenMetrics),
            ("text/plain, application/openmetrics-text; q=0", Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
