//! Names as Prometheus wants them, from OpenTelemetry's.
//!
//! Rules: <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/> and
//! Prometheus's `otlptranslator`, which adds some of its own.

use std::borrow::Cow;

use super::Translation;

/// What becomes of names, as `otlp.translation_strategy` in `prometheus.yml` calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Underscores for all that old names cannot have; unit and type at the end.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// The same without unit and type.
    UnderscoreEscapingWithoutSuffixes,
    /// Names as they come, unit and type at the end.
    NoUtf8EscapingWithSuffixes,
    /// Names as they come.
    NoTranslation,
}

impl Strategy {
    /// Reads what `prometheus.yml` has.
    #[must_use]
    pub fn parse(name: &str) -> Option<Strategy> {
        Some(match name {
            "UnderscoreEscapingWithSuffixes" => Strategy::UnderscoreEscapingWithSuffixes,
            "UnderscoreEscapingWithoutSuffixes" => Strategy::UnderscoreEscapingWithoutSuffixes,
            "NoUTF8EscapingWithSuffixes" => Strategy::NoUtf8EscapingWithSuffixes,
            "NoTranslation" => Strategy::NoTranslation,
            _ => return None,
        })
    }

    pub(super) const fn escapes(self) -> bool {
        matches!(
            self,
            Strategy::UnderscoreEscapingWithSuffixes | Strategy::UnderscoreEscapingWithoutSuffixes
        )
    }

    const fn has_suffixes(self) -> bool {
        matches!(
            self,
            Strategy::UnderscoreEscapingWithSuffixes | Strategy::NoUtf8EscapingWithSuffixes
        )
    }
}

/// What a metric is, as far as its name goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Gauge,
    /// A sum that only grows.
    Counter,
    Other,
}

/// A metric's name; `None` when nothing is left of it.
pub(super) fn metric_name(
    strategy: Strategy,
    name: &str,
    unit: &str,
    nature: Nature,
) -> Option<String> {
    let built = match (strategy.escapes(), strategy.has_suffixes()) {
        (true, true) => escaped_with_suffixes(name, unit, nature),
        (true, false) => {
            let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            before_digit(tokens(name, is_valid).join("_"))
        }
        (false, true) => with_suffixes(name, unit, nature),
        (false, false) => name.to_owned(),
    };
    let empty = if built == name { built.is_empty() } else { built.chars().all(|c| c == '_') };
    (!empty).then_some(built)
}

fn tokens(name: &str, is_valid: impl Fn(char) -> bool) -> Vec<&str> {
    name.split(|c| !is_valid(c)).filter(|token| !token.is_empty()).collect()
}

/// Names do not start with a digit.
fn before_digit(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn escaped_with_suffixes(name: &str, unit: &str, nature: Nature) -> String {
    let mut tokens = tokens(name, |c| c.is_ascii_alphanumeric() || c == ':');
    let (main, per) = unit_suffixes(unit);
    let (mut main, mut per) = (clean(&main), clean(&per));
    if tokens.contains(&main.as_str()) {
        main.clear();
    }
    if per == "per_" {
        per.clear();
    } else {
        per.truncate(per.strip_suffix('_').map_or(per.len(), str::len));
        if tokens.contains(&per.as_str()) {
            per.clear();
        }
    }
    if !per.is_empty() {
        main.truncate(main.strip_suffix('_').map_or(main.len(), str::len));
    }
    tokens.extend([main.as_str(), per.as_str()].into_iter().filter(|token| !token.is_empty()));
    let last = match nature {
        Nature::Counter => Some("total"),
        Nature::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        tokens.retain(|token| *token != last);
        tokens.push(last);
    }
    before_digit(tokens.join("_"))
}

/// Suffixes that are there already are taken off and put on again in their order.
fn with_suffixes(name: &str, unit: &str, nature: Nature) -> String {
    let (main, per) = unit_suffixes(unit);
    let last = match nature {
        Nature::Counter => Some("total"),
        Nature::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    let mut name = name;
    if let Some(last) = last {
        name = without_suffix(name, last);
    }
    if !per.is_empty() {
        name = without_suffix(name, &per);
    }
    let mut built = name.to_owned();
    if !main.is_empty() && !name.ends_with(&*main) {
        built.push('_');
        built.push_str(&main);
    }
    for suffix in [Some(&*per).filter(|per| !per.is_empty()), last].into_iter().flatten() {
        built.push('_');
        built.push_str(suffix);
    }
    built
}

/// Takes a suffix off, with the one character before it.
fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    match name.strip_suffix(suffix) {
        Some(rest) if rest.len() > 1 => {
            let mut chars = rest.chars();
            chars.next_back();
            chars.as_str()
        }
        _ => name,
    }
}

/// A unit's two suffixes: `By/s` is `bytes` and `per_second`.
fn unit_suffixes(unit: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let named = |part: &str| !part.is_empty() && !part.contains(['{', '}']);
    let (main, per) = (main.trim(), per.trim());
    let main = if named(main) { Cow::Borrowed(unit_word(main)) } else { Cow::Borrowed("") };
    let per = match per {
        per if !named(per) => Cow::Borrowed(""),
        per => Cow::Owned(format!("per_{}", per_word(per))),
    };
    (main, per)
}

/// A unit's name in metadata and in `__unit__`.
pub(super) fn unit_name(strategy: Strategy, unit: &str) -> String {
    let (main, per) = unit_suffixes(unit);
    let (main, per) = if strategy.escapes() {
        (clean(&main), clean(&per))
    } else {
        (main.into_owned(), per.into_owned())
    };
    let joined = match (main.is_empty(), per.is_empty()) {
        (false, false) => format!("{main}_{per}"),
        (false, true) => main,
        _ => per,
    };
    let joined = joined.strip_prefix('_').unwrap_or(&joined);
    joined.strip_suffix('_').unwrap_or(joined).to_owned()
}

/// Underscores for what names cannot have, one at a time, none in front.
fn clean(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    for c in unit.chars() {
        let c = if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' };
        if c != '_' || !out.ends_with('_') {
            out.push(c);
        }
    }
    out.strip_prefix('_').map(str::to_owned).unwrap_or(out)
}

fn unit_word(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        // As Prometheus writes it.
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        other => other,
    }
}

fn per_word(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

/// A label's name; `None` when nothing is left of it. Where the translation sanitises underscores a
/// name that starts with a single one gets a word in front.
pub(super) fn label_name<'n>(translation: &Translation, name: &'n str) -> Option<Cow<'n, str>> {
    if name.is_empty() {
        return None;
    }
    if !translation.strategy.escapes() {
        return Some(Cow::Borrowed(name));
    }
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut built = if name.chars().all(is_valid) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.chars().map(|c| if is_valid(c) { c } else { '_' }).collect())
    };
    if !translation.keeps_underscores && built.contains("__") {
        let mut single = String::with_capacity(built.len());
        for c in built.chars() {
            if c != '_' || !single.ends_with('_') {
                single.push(c);
            }
        }
        built = Cow::Owned(single);
    }
    if built.starts_with(|c: char| c.is_ascii_digit()) {
        built = Cow::Owned(format!("key_{built}"));
    } else if translation.sanitises_underscore && built.starts_with('_') && !built.starts_with("__")
    {
        built = Cow::Owned(format!("key{built}"));
    }
    if built != name && built.chars().all(|c| c == '_') {
        return None;
    }
    Some(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_by_strategy() {
        use Nature::{Counter, Gauge, Other};
        let check = |name: &str, unit: &str, nature, expected: [&str; 4]| {
            let built = [
                Strategy::UnderscoreEscapingWithSuffixes,
                Strategy::UnderscoreEscapingWithoutSuffixes,
                Strategy::NoUtf8EscapingWithSuffixes,
                Strategy::NoTranslation,
            ]
            .map(|strategy| metric_name(strategy, name, unit, nature).unwrap_or_default());
            assert_eq!(built, expected, "{name} {unit}");
        };
        let same = |name| [name; 4];
        check("up", "", Gauge, same("up"));
        check("", "", Gauge, same(""));
        check(
            "http.server.request.duration",
            "s",
            Other,
            [
                "http_server_request_duration_seconds",
                "http_server_request_duration",
                "http.server.request.duration_seconds",
                "http.server.request.duration",
            ],
        );
        check(
            "requests",
            "1/s",
            Counter,
            ["requests_per_second_total", "requests", "requests_per_second_total", "requests"],
        );
        check(
            "requests_total",
            "",
            Counter,
            ["requests_total", "requests_total", "requests_total", "requests_total"],
        );
        check(
            "total.requests",
            "{request}",
            Counter,
            ["requests_total", "total_requests", "total.requests_total", "total.requests"],
        );
        check(
            "cpu_usage",
            "1",
            Gauge,
            ["cpu_usage_ratio", "cpu_usage", "cpu_usage_ratio", "cpu_usage"],
        );
        check(
            "response_time_seconds",
            "s",
            Gauge,
            [
                "response_time_seconds",
                "response_time_seconds",
                "response_time_seconds",
                "response_time_seconds",
            ],
        );
        check(
            "cpu_seconds_total",
            "s",
            Counter,
            ["cpu_seconds_total", "cpu_seconds_total", "cpu_seconds_total", "cpu_seconds_total"],
        );
        check("@#$%", "", Counter, ["total", "", "@#$%_total", "@#$%"]);
        check(
            "123metric",
            "By",
            Gauge,
            ["_123metric_bytes", "_123metric", "123metric_bytes", "123metric"],
        );
        check(
            "custom_metric",
            "unit@with#special/chars",
            Gauge,
            [
                "custom_metric_unit_with_special_per_chars",
                "custom_metric",
                "custom_metric_unit@with#special_per_chars",
                "custom_metric",
            ],
        );
        check("a__b", "x__y", Gauge, ["a_b_x_y", "a__b", "a__b_x__y", "a__b"]);
    }

    #[test]
    fn label_names() {
        let check = |name: &str, expected: &str| {
            let by = Translation::default();
            assert_eq!(label_name(&by, name).as_deref().unwrap_or(""), expected);
            let by = Translation { strategy: Strategy::NoTranslation, ..by };
            let raw = label_name(&by, name);
            assert_eq!(raw.as_deref().unwrap_or(""), name);
        };
        check("http.method", "http_method");
        check("a..b", "a__b");
        check("123", "key_123");
        check("_x", "key_x");
        check("__reserved__", "__reserved__");
        check("größe", "gr__e");
        check("", "");
        check("...", "");
        let by = Translation { sanitises_underscore: false, ..Translation::default() };
        assert_eq!(label_name(&by, "_x").as_deref(), Some("_x"));
        let by = Translation { keeps_underscores: false, ..Translation::default() };
        assert_eq!(label_name(&by, "a..b__c").as_deref(), Some("a_b_c"));
    }

    #[test]
    fn unit_names() {
        for (unit, name) in
            [("s", "seconds"), ("By/s", "bytes_per_second"), ("1", ""), ("{x}", ""), ("a b", "a_b")]
        {
            assert_eq!(unit_name(Strategy::default(), unit), name);
        }
    }
}
