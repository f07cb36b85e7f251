//! What looks at more than one column: groups of people, several columns together, pairs of columns, streams.

use super::super::chart::{self, escape, strip};
use super::super::{brief, chance, counted, short, words};
use crate::monitor::{Group, Outcome, Performance, Point, Stream, Together};
use crate::{multivariate, sequential};

pub(super) fn fairness(html: &mut String, outcome: &Outcome) {
    let Some(fairness) = &outcome.fairness else { return };
    let percent =
        |share: Option<f64>| share.map_or("–".to_owned(), |s| format!("{:.1} %", s * 100.0));
    put!(
        html,
        "<h2>Groups of {}</h2><p class=\"soft\">What the decisions are like for each group, before → now. \
         <b>Selected</b>: share decided positively. <b>Found</b>: share of the positives that were \
         decided positively (recall). <b>False alarms</b>: share of the negatives that were. Whether a \
         difference is unfair, numbers alone do not say.</p><div class=\"card wide scroll\">\
         <table class=\"measures\"><thead><tr><th>group</th><th>rows</th><th>selected</th><th>found</th>\
         <th>false alarms</th></tr></thead><tbody>",
        escape(&fairness.column)
    );
    for now in &fairness.current.groups {
        let past = fairness.reference.groups.iter().find(|group| group.name == now.name);
        let pair = |rate: fn(&Group) -> Option<f64>| {
            format!("{} → {}", percent(past.and_then(rate)), percent(rate(now)))
        };
        put!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&now.name),
            counted(now.rows),
            pair(|group| group.selection),
            pair(|group| group.recall),
            pair(|group| group.false_positive_rate),
        );
    }
    html.push_str("</tbody></table><table class=\"measures\"><tbody>");
    let (past, now) = (&fairness.reference, &fairness.current);
    for (name, before, after) in [
        (
            "Demographic parity: greatest difference of selected",
            past.demographic_parity,
            now.demographic_parity,
        ),
        (
            "Equal opportunity: greatest difference of found",
            past.equal_opportunity,
            now.equal_opportunity,
        ),
        (
            "Equalised odds: the greater of the differences of found and of false alarms",
            past.equalised_odds,
            now.equalised_odds,
        ),
    ] {
        let (before, after) = (percent(before), percent(after));
        put!(html, "<tr><td>{name}</td><td>{before} → {after}</td></tr>");
    }
    html.push_str("</tbody></table></div>");
}

/// The model in each segment.
pub(super) fn segments(html: &mut String, outcome: &Outcome) {
    let parts: Vec<(&str, &Performance)> = outcome
        .segments
        .iter()
        .filter_map(|part| Some((part.name.as_str(), part.performance.as_ref()?)))
        .collect();
    let Some((_, first)) = parts.iter().max_by_key(|(_, one)| one.metrics.len()) else { return };
    html.push_str(
        "<h2>Performance by segment</h2><p class=\"soft\">Before → now in each segment: on the \
         reference, then realised from labels, or estimated (~) where there are none. Red where it left \
         the band of chunks of the same segment.</p><div class=\"card wide scroll\">\
         <table class=\"measures\"><thead><tr><th></th>",
    );
    for (name, _) in &parts {
        put!(html, "<th>{}</th>", escape(name));
    }
    html.push_str("</tr></thead><tbody>");
    for wanted in &first.metrics {
        put!(html, "<tr><td>{}</td>", words::metric_title(wanted.name));
        for (_, performance) in &parts {
            let metric = performance.metrics.iter().find(|one| one.name == wanted.name);
            let Some((metric, point)) = metric.and_then(|one| Some((one, one.points.first()?)))
            else {
                html.push_str("<td>–</td>");
                continue;
            };
            let class = if point.alert { " class=\"bad\"" } else { "" };
            put!(html, "<td{class}>{} → {}</td>", brief(metric.reference), now(point));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
}

fn now(point: &Point) -> String {
    match (point.realized, point.estimate) {
        (Some(realized), _) => brief(realized),
        (None, Some(estimate)) => format!("~{}", brief(estimate.value)),
        (None, None) => "–".to_owned(),
    }
}

/// What is wrong with the data itself.
pub(super) fn quality(html: &mut String, outcome: &Outcome) {
    html.push_str("<h2>Data quality</h2>");
    let broken = || outcome.overall.columns.iter().filter(|one| !one.findings.is_empty());
    let repeated = outcome.duplicates.filter(|rows| *rows > 0);
    if broken().next().is_none() && repeated.is_none() {
        html.push_str(
            "<p class=\"soft\"><span class=\"good\">Nothing found.</span> Looked at: missing, NaN and \
             infinite values, types, ranges, categories that are new or gone, constants, numbers of \
             distinct values, columns that are new or gone, rows that occur twice.</p>",
        );
        return;
    }
    html.push_str("<div class=\"card wide scroll\"><table class=\"measures findings\"><tbody>");
    for column in broken() {
        let sentences: Vec<String> =
            column.findings.iter().map(|finding| escape(&finding.sentence())).collect();
        put!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            escape(&column.name),
            sentences.join("<br>")
        );
    }
    if let Some(rows) = repeated {
        put!(
            html,
            "<tr><th scope=\"row\">all columns</th><td>{} rows occur before in the same data</td></tr>",
            counted(rows)
        );
    }
    html.push_str("</tbody></table></div>");
}

pub(super) fn together(html: &mut String, outcome: &Outcome) {
    if outcome.multivariate.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Columns together</h2><p class=\"soft\">Changes of how columns hang together, which no \
         column shows alone. Red dots are alarms.</p><div class=\"charts\">",
    );
    for one in &outcome.multivariate {
        let band = one.band.as_ref().map_or(String::new(), |band| {
            let bound = |bound: Option<f64>| bound.map_or("–".to_owned(), short);
            format!(
                "; chunks of the reference lie between {} and {}",
                bound(band.lower),
                bound(band.upper)
            )
        });
        let entry = multivariate::ALL.iter().find(|known| known.name == one.detector);
        let tag = if one.overall.drifted { "<span class=\"tag bad\">drifted</span>" } else { "" };
        put!(
            html,
            "<div class=\"card wide\"><h3>{}{tag}</h3><p class=\"soft small\">All rows: {}{band}. {}</p>",
            entry.map_or(one.detector, multivariate::Entry::title),
            said(&one.overall),
            words::together(one.detector)
        );
        if !one.windows.is_empty() {
            html.push_str(&chart::together(one));
        }
        html.push_str("</div>");
    }
    html.push_str("</div>");
}

fn said(one: &Together) -> String {
    let value = if one.value.is_finite() { short(one.value) } else { "too few rows".to_owned() };
    match one.probability {
        Some(p) => format!("{value} (p {})", chance(p)),
        None => value,
    }
}

pub(super) fn correlations(html: &mut String, outcome: &Outcome) {
    if outcome.correlations.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Changed correlations</h2><p class=\"soft\">Pearson's coefficient of two columns, where it \
         surely changed by 0.1 or more.</p><div class=\"card wide scroll\"><table class=\"measures\"><thead>\
         <tr><th>columns</th><th>before</th><th>now</th><th>p</th></tr></thead><tbody>",
    );
    for pair in &outcome.correlations {
        put!(
            html,
            "<tr class=\"bad\"><td>{} and {}</td><td>{:.3}</td><td>{:.3}</td><td>{}</td></tr>",
            escape(&pair.left),
            escape(&pair.right),
            pair.reference,
            pair.current,
            chance(pair.probability)
        );
    }
    html.push_str("</tbody></table></div>");
}

pub(super) fn streams(html: &mut String, outcome: &Outcome) {
    if outcome.streams.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Row by row</h2><p class=\"soft\">Detectors that take the rows in the order of their time, \
         after those of the reference; numbers in standard deviations of the reference. After an alarm a \
         detector begins anew. A stroke is an alarm, from the first row (left) to the last.</p>\
         <div class=\"card wide\">",
    );
    let quiet = |stream: &&Stream| stream.alarms.is_empty();
    if !outcome.streams.iter().all(|stream| quiet(&stream)) {
        html.push_str(
            "<div class=\"scroll\"><table class=\"measures streams\"><thead><tr><th>column</th>\
             <th>detector</th><th>alarms</th><th>where</th><th>first</th></tr></thead><tbody>",
        );
        for stream in outcome.streams.iter().filter(|stream| !quiet(stream)) {
            put!(
                html,
                "<tr><td><b>{}</b></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&stream.column),
                sequential_title(stream.detector),
                stream.alarms.len(),
                strip(stream),
                escape(&first_alarm(stream))
            );
        }
        html.push_str("</tbody></table></div>");
    }
    for entry in sequential::ALL {
        let columns: Vec<String> = outcome
            .streams
            .iter()
            .filter(|stream| stream.detector == entry.name)
            .filter(quiet)
            .map(|stream| escape(&stream.column))
            .collect();
        if !columns.is_empty() {
            put!(
                html,
                "<p class=\"soft small\">No alarm of {}: {}</p>",
                entry.title(),
                columns.join(", ")
            );
        }
    }
    html.push_str("</div>");
}

fn sequential_title(name: &'static str) -> &'static str {
    sequential::ALL.iter().find(|entry| entry.name == name).map_or(name, sequential::Entry::title)
}

fn first_alarm(stream: &Stream) -> String {
    let Some(alarm) = stream.alarms.first() else { return String::new() };
    let row = counted(alarm.row as u64);
    alarm.at.as_ref().map_or(format!("row {row}"), |at| format!("{at} (row {row})"))
}
