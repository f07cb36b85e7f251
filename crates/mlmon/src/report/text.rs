//! The outcome as a table in the terminal: drifted columns first, with both distributions drawn small.

mod model;

use super::{chance, counted, leading, rule, short, words};
use crate::compare::{Bin, ColumnReport};
use crate::monitor::{Outcome, Part};

const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Bins drawn in one line.
const SPARK_BINS: usize = 12;
const NAME_WIDTH: usize = 28;
/// Windows listed one by one; of more, those that alarm.
const LISTED: usize = 12;

/// The table; `colour` adds terminal colours.
pub fn table(outcome: &Outcome, colour: bool) -> String {
    let mut out = String::new();
    let report = &outcome.overall;
    let paint = |text: &str, code: &str| match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let verdict = match report.drifted {
        0 if outcome.drifted() => paint("no column drifted overall, but see below", "31;1"),
        0 => paint("no drift", "32"),
        n => paint(&format!("{n} of {} columns drifted", report.compared), "31;1"),
    };
    line(&mut out, &format!("{}: {verdict}   {}", outcome.name, words::rows(report.rows)));
    line(&mut out, "");
    let head = format!(
        "  {:<8}{:<NAME_WIDTH$}{:<22}{:>10}{:>11}  {:<14}{:<14}{}",
        "", "column", "detector", "value", "p", "alarm when", "reference", "current"
    );
    let head = match outcome.attribution {
        Some(_) => format!("{head:<124}model listens"),
        None => head,
    };
    line(&mut out, &paint(head.trim_end(), "2"));
    for column in &report.columns {
        let state = if column.drifted {
            paint("DRIFT   ", "31;1")
        } else if !column.findings.is_empty() || column.error.is_some() {
            paint("look    ", "33")
        } else {
            paint("ok      ", "32")
        };
        let heard = heard(outcome, &column.name);
        line(&mut out, format!("  {state}{}{heard}", row(column)).trim_end());
        if let Some(described) = &column.embedding {
            line(&mut out, &format!("          {}", paint(&words::cloud(described), "2")));
        }
        for finding in &column.findings {
            line(&mut out, &format!("          {}", paint(&finding.sentence(), "33")));
        }
        if let Some(error) = &column.error {
            line(&mut out, &format!("          {}", paint(error, "33")));
        }
    }
    parts(&mut out, "windows", &outcome.windows, &paint);
    parts(&mut out, "segments", &outcome.segments, &paint);
    performance(&mut out, outcome, &paint);
    model::decisions(&mut out, outcome);
    model::experiment(&mut out, outcome, &paint);
    model::attribution(&mut out, outcome, &paint);
    together(&mut out, outcome, &paint);
    streams(&mut out, outcome, &paint);
    fairness(&mut out, outcome);
    if let Some(rows) = outcome.duplicates.filter(|rows| *rows > 0) {
        let rows = counted(rows);
        line(&mut out, &format!("\n{rows} rows occur more than once"));
    }
    for note in &outcome.notes {
        line(&mut out, &paint(&format!("note: {note}"), "2"));
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn row(column: &ColumnReport) -> String {
    let name = cut(&column.name);
    let Some(one) = leading(column) else { return format!("{name:<NAME_WIDTH$}not compared") };
    format!(
        "{name:<NAME_WIDTH$}{:<22}{:>10}{:>11}  {:<14}{:<14}{}",
        one.detector,
        short(one.measure.value),
        chance(one.measure.probability),
        rule(one.verdict.rule),
        sparkline(&column.bins, |bin| bin.reference),
        sparkline(&column.bins, |bin| bin.current),
    )
}

/// How much the model listens to a column, at the end of its row.
fn heard(outcome: &Outcome, column: &str) -> String {
    let mut features = outcome.attribution.iter().flat_map(|found| &found.features);
    let feature = features.find(|feature| feature.name == column);
    feature.map_or(String::new(), |feature| format!("  {}", words::attribution::shares(feature)))
}

fn cut(name: &str) -> String {
    if name.chars().count() < NAME_WIDTH {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME_WIDTH - 2).collect();
    format!("{kept}…")
}

fn sparkline(bins: &[Bin], share: fn(&Bin) -> f64) -> String {
    // One scale for both sides, so that they can be compared.
    let most = bins.iter().map(|bin| bin.reference.max(bin.current)).fold(0.0, f64::max);
    let spark = |bin: &Bin| {
        let height = if most > 0.0 { share(bin) / most } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=7")]
        let level = (height * 7.0).round() as usize;
        SPARKS[level.min(7)]
    };
    bins.iter().take(SPARK_BINS).map(spark).collect()
}

fn parts(out: &mut String, title: &str, parts: &[Part], paint: &impl Fn(&str, &str) -> String) {
    if parts.is_empty() {
        return;
    }
    line(out, &format!("\n{title}"));
    let (listed, rest) = limited(parts, |part| part.report.drifted > 0);
    for part in listed {
        let drifted: Vec<&str> = part
            .report
            .columns
            .iter()
            .filter(|column| column.drifted)
            .map(|column| column.name.as_str())
            .collect();
        let state = state(!drifted.is_empty(), paint);
        let rows = part.report.rows.1;
        line(
            out,
            format!(
                "  {state}{:<NAME_WIDTH$}{rows:>9} rows  {}",
                cut(&part.name),
                drifted.join(", ")
            )
            .trim_end(),
        );
    }
    if let Some(rest) = rest {
        line(out, &format!("          {}", paint(&rest, "2")));
    }
}

/// All of a few; of many the first that alarm, and how many more there are.
fn limited<T>(all: &[T], alarms: impl Fn(&T) -> bool) -> (Vec<&T>, Option<String>) {
    if all.len() <= LISTED {
        return (all.iter().collect(), None);
    }
    let alarming = all.iter().filter(|one| alarms(one)).count();
    let listed: Vec<&T> = all.iter().filter(|one| alarms(one)).take(LISTED).collect();
    let (more, quiet) = (alarming - listed.len(), all.len() - alarming);
    let rest = match more {
        0 => format!("… {quiet} of {} without an alarm", all.len()),
        more => format!("… {more} more with an alarm, {quiet} without"),
    };
    (listed, Some(rest))
}

fn performance(out: &mut String, outcome: &Outcome, paint: &impl Fn(&str, &str) -> String) {
    let Some(performance) = &outcome.performance else { return };
    line(out, "\nperformance");
    for metric in &performance.metrics {
        let bound = |bound: Option<f64>| bound.map_or_else(|| "–".to_owned(), short);
        line(
            out,
            &format!(
                "  {:<18}reference {:<9} alarm outside {} … {}",
                metric.name,
                short(metric.reference),
                bound(metric.band.lower),
                bound(metric.band.upper)
            ),
        );
        let (listed, rest) = limited(&metric.points, |point| point.alert);
        for point in listed {
            let state =
                if point.alert { paint("ALERT   ", "31;1") } else { paint("ok      ", "32") };
            let mut text = format!("    {state}{:<NAME_WIDTH$}", cut(&point.window));
            if let Some(realized) = point.realized {
                put!(text, "realised {:<9}", short(realized));
            }
            if let Some(estimate) = point.estimate {
                let (low, high) = (short(estimate.lower), short(estimate.upper));
                put!(text, "estimated {} ({low} … {high})", short(estimate.value));
            }
            line(out, text.trim_end());
        }
        if let Some(rest) = rest {
            line(out, &format!("            {}", paint(&rest, "2")));
        }
    }
    by_segment(out, outcome, paint);
}

/// Metrics that left their band in a segment.
fn by_segment(out: &mut String, outcome: &Outcome, paint: &impl Fn(&str, &str) -> String) {
    let parts = outcome.segments.iter().filter_map(|part| Some((part, part.performance.as_ref()?)));
    for (place, (part, performance)) in parts.enumerate() {
        if place == 0 {
            line(out, "\nperformance by segment");
        }
        let left: Vec<String> = performance
            .metrics
            .iter()
            .filter_map(|metric| Some((metric, metric.points.first()?)))
            .filter(|(_, point)| point.alert)
            .map(|(metric, point)| {
                let now = point.realized.or(point.estimate.map(|one| one.value));
                let now = now.map_or_else(|| "–".to_owned(), short);
                format!("{} {} → {now}", metric.name, short(metric.reference))
            })
            .collect();
        let state =
            if left.is_empty() { paint("ok      ", "32") } else { paint("ALERT   ", "31;1") };
        let name = cut(&part.name);
        line(out, format!("  {state}{name:<NAME_WIDTH$}{}", left.join(", ")).trim_end());
    }
}

fn state(drifted: bool, paint: &impl Fn(&str, &str) -> String) -> String {
    if drifted { paint("DRIFT   ", "31;1") } else { paint("ok      ", "32") }
}

fn together(out: &mut String, outcome: &Outcome, paint: &impl Fn(&str, &str) -> String) {
    if !outcome.multivariate.is_empty() {
        line(out, "\ncolumns together");
    }
    for one in &outcome.multivariate {
        let (listed, rest) = limited(&one.windows, |window| window.drifted);
        for part in std::iter::once(&one.overall).chain(listed) {
            let p = part.probability.map_or(String::new(), |p| format!("   p {}", chance(p)));
            line(
                out,
                &format!(
                    "  {}{:<NAME_WIDTH$}{:<22}{:>10}{p}",
                    state(part.drifted, paint),
                    one.detector,
                    cut(&part.name),
                    short(part.value)
                ),
            );
        }
        if let Some(rest) = rest {
            line(out, &format!("          {}", paint(&rest, "2")));
        }
    }
    if !outcome.correlations.is_empty() {
        line(out, "\nchanged correlations");
    }
    for pair in &outcome.correlations {
        line(
            out,
            &format!(
                "  {}{} and {}: {:.3} → {:.3}   p {}",
                state(true, paint),
                pair.left,
                pair.right,
                pair.reference,
                pair.current,
                chance(pair.probability)
            ),
        );
    }
}

fn streams(out: &mut String, outcome: &Outcome, paint: &impl Fn(&str, &str) -> String) {
    if !outcome.streams.is_empty() {
        line(out, "\nrow by row");
    }
    for stream in &outcome.streams {
        let first = stream.alarms.first().map_or(String::new(), |alarm| {
            let at = alarm.at.as_ref().map_or(String::new(), |at| format!(" ({at})"));
            let n = stream.alarms.len();
            let alarms = if n == 1 { "alarm" } else { "alarms" };
            format!("{n} {alarms}, first at row {}{at}", counted(alarm.row as u64))
        });
        let drifted = !stream.alarms.is_empty();
        let name = cut(&stream.column);
        line(
            out,
            format!("  {}{name:<NAME_WIDTH$}{:<22}{first}", state(drifted, paint), stream.detector)
                .trim_end(),
        );
    }
}

fn fairness(out: &mut String, outcome: &Outcome) {
    let Some(fairness) = &outcome.fairness else { return };
    line(out, &format!("\ngroups of {}", fairness.column));
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), short);
    for group in &fairness.current.groups {
        line(
            out,
            &format!(
                "  {:<NAME_WIDTH$}{:>9} rows  selected {:<9} found {:<9} false alarms {}",
                cut(&group.name),
                group.rows,
                rate(group.selection),
                rate(group.recall),
                rate(group.false_positive_rate)
            ),
        );
    }
    let (past, now) = (&fairness.reference, &fairness.current);
    for (name, before, after) in [
        ("demographic parity", past.demographic_parity, now.demographic_parity),
        ("equal opportunity", past.equal_opportunity, now.equal_opportunity),
        ("equalised odds", past.equalised_odds, now.equalised_odds),
    ] {
        line(out, &format!("  {name:<20} {} → {}", rate(before), rate(after)));
    }
}
