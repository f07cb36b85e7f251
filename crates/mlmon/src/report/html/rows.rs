//! What looks at more than one column: groups of people, several columns together, pairs of columns, streams.

use super::super::chart::escape;
use super::super::{chance, counted, short};
use crate::monitor::{Group, Outcome, Together};

/// Windows of a detector listed one by one.
const WINDOWS: usize = 60;
/// Alarms of a stream that are named.
const ALARMS: usize = 5;

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

pub(super) fn together(html: &mut String, outcome: &Outcome) {
    if outcome.multivariate.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Columns together</h2><p class=\"soft\">Changes of how columns hang together, which no \
         column shows alone.</p>",
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
        put!(
            html,
            "<div class=\"card wide\"><h3>{}</h3><p class=\"soft\">all rows: {}{band}</p>",
            one.detector,
            said(&one.overall)
        );
        if !one.windows.is_empty() {
            html.push_str("<p class=\"cells\">");
            for window in one.windows.iter().take(WINDOWS) {
                let class = if window.drifted { "cell bad" } else { "cell" };
                put!(
                    html,
                    "<span class=\"{class}\"><span class=\"soft\">{}</span> {}</span>",
                    escape(&window.name),
                    said(window)
                );
            }
            html.push_str("</p>");
        }
        html.push_str("</div>");
    }
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
         detector begins anew.</p><div class=\"card wide scroll\"><table class=\"measures\"><thead><tr>\
         <th>detector</th><th>column</th><th>alarms</th><th>first at</th></tr></thead><tbody>",
    );
    for stream in &outcome.streams {
        let class = if stream.alarms.is_empty() { "" } else { " class=\"bad\"" };
        let first: Vec<String> = stream
            .alarms
            .iter()
            .take(ALARMS)
            .map(|alarm| match &alarm.at {
                Some(at) => format!("{at} (row {})", counted(alarm.row as u64)),
                None => format!("row {}", counted(alarm.row as u64)),
            })
            .collect();
        put!(
            html,
            "<tr{class}><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            stream.detector,
            escape(&stream.column),
            stream.alarms.len(),
            escape(&first.join(", "))
        );
    }
    html.push_str("</tbody></table></div>");
}
