//! The outcome as one page that needs nothing else: no script, no font, no network; light and dark.

mod attribution;
mod columns;
mod decisions;
mod experiment;
mod rows;

use super::chart::{escape, heatmap, metric};
use super::words;
use super::{counted, short};
use crate::monitor::{MetricSeries, Outcome, Part, Performance, Task};
use crate::{detector, embedding, multivariate, sequential};

/// The page.
pub fn page(outcome: &Outcome) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Drift: {}</title>\
         <style>{}</style></head><body><main>",
        escape(&outcome.name),
        include_str!("page.css")
    );
    summary(&mut html, outcome);
    experiment::experiment(&mut html, outcome);
    attribution::attribution(&mut html, outcome);
    performance(&mut html, outcome);
    decisions::decisions(&mut html, outcome);
    rows::segments(&mut html, outcome);
    rows::fairness(&mut html, outcome);
    if !outcome.windows.is_empty() {
        html.push_str(
            "<h2>Drift over time</h2><p class=\"soft\">Each window of the current data against the \
             whole reference, named by its beginning. A cell is the darker the larger the effect, and \
             framed where it is an alarm for a window of that many rows; point at it for the numbers.\
             </p><div class=\"card wide\">",
        );
        html.push_str(&heatmap(&outcome.windows, &outcome.overall));
        html.push_str("</div>");
    }
    if !outcome.segments.is_empty() {
        html.push_str(
            "<h2>Drift by segment</h2><p class=\"soft\">Each segment of the current data against the \
             same segment of the reference, largest first.</p><div class=\"card wide\">",
        );
        html.push_str(&heatmap(&outcome.segments, &outcome.overall));
        html.push_str("</div>");
    }
    rows::quality(&mut html, outcome);
    html.push_str(
        "<h2>Columns</h2><p class=\"legend soft\"><span><i class=\"past\" style=\"background:var(--past)\">\
         </i>reference</span><span><i style=\"background:var(--now)\"></i>current</span>share of rows \
         per bin; bins are frozen from the reference</p>",
    );
    outcome.overall.columns.iter().for_each(|one| columns::card(&mut html, one, outcome));
    rows::together(&mut html, outcome);
    rows::correlations(&mut html, outcome);
    rows::streams(&mut html, outcome);
    glossary(&mut html, outcome);
    html.push_str("</main></body></html>\n");
    html
}

fn summary(html: &mut String, outcome: &Outcome) {
    let report = &outcome.overall;
    let verdict = match report.drifted {
        0 => "<span class=\"good\">No column drifted</span>".to_owned(),
        1 => "<span class=\"bad\">1 column drifted</span>".to_owned(),
        n => format!("<span class=\"bad\">{n} columns drifted</span>"),
    };
    put!(
        html,
        "<h1>{}</h1><p>{verdict} of {} compared.</p><table class=\"small sides\"><tbody>",
        escape(&outcome.name),
        report.compared,
    );
    let sources = outcome.sources.as_ref();
    for (side, rows, source) in [
        ("reference", report.rows.0, sources.map(|sources| &sources.reference)),
        ("current", report.rows.1, sources.map(|sources| &sources.current)),
    ] {
        let source = source.map_or(String::new(), |source| escape(source));
        put!(
            html,
            "<tr><th scope=\"row\">{side}</th><td>{} rows</td><td>{source}</td></tr>",
            counted(rows)
        );
    }
    put!(html, "</tbody></table>{}", story(outcome));
    tiles(html, outcome);
    if !outcome.notes.is_empty() {
        html.push_str("<ul class=\"soft notes\">");
        for note in &outcome.notes {
            put!(html, "<li>{}</li>", escape(note));
        }
        html.push_str("</ul>");
    }
}

fn tiles(html: &mut String, outcome: &Outcome) {
    let report = &outcome.overall;
    let mut tiles = vec![("drifted columns", format!("{} / {}", report.drifted, report.compared))];
    let drifted = |parts: &[Part]| parts.iter().filter(|part| part.report.drifted > 0).count();
    for (what, parts) in
        [("windows with drift", &outcome.windows), ("segments with drift", &outcome.segments)]
    {
        if !parts.is_empty() {
            tiles.push((what, format!("{} / {}", drifted(parts), parts.len())));
        }
    }
    if let Some(performance) = &outcome.performance {
        let left = |metric: &&MetricSeries| metric.points.iter().any(|point| point.alert);
        let alerts = performance.metrics.iter().filter(left).count();
        let all = performance.metrics.len();
        tiles.push(("metrics out of band", format!("{alerts} / {all}")));
    }
    let findings: usize = report.columns.iter().map(|column| column.findings.len()).sum();
    tiles.push(("data-quality findings", findings.to_string()));
    if let Some(rows) = outcome.duplicates {
        tiles.push(("duplicate rows", counted(rows)));
    }
    html.push_str("<div class=\"tiles\">");
    for (what, value) in tiles {
        put!(html, "<div class=\"tile\"><span class=\"soft\">{what}</span><b>{value}</b></div>");
    }
    html.push_str("</div>");
}

/// What happened, in sentences.
fn story(outcome: &Outcome) -> String {
    let sentences = words::story(outcome);
    if sentences.is_empty() {
        return String::new();
    }
    let items = sentences.iter().map(|sentence| format!("<li>{}</li>", escape(sentence)));
    format!("<ul class=\"story\">{}</ul>", items.collect::<String>())
}

fn performance(html: &mut String, outcome: &Outcome) {
    let Some(performance) = &outcome.performance else { return };
    let estimated = |metric: &MetricSeries| metric.points.iter().any(|one| one.estimate.is_some());
    let dashed = match performance.metrics.iter().any(estimated) {
        true => {
            "<span><i class=\"line dashed\"></i>estimated, shade ± 3 standard errors of a window of that \
             size</span>"
        }
        false => "",
    };
    put!(
        html,
        "<h2>Performance</h2><p class=\"soft\">{}</p><p class=\"legend soft\"><span><i class=\"line\"></i>\
         realised from labels</span>{dashed}<span><i style=\"background:var(--band)\"></i>mean ± 3 \
         standard deviations over chunks of the reference</span><span><i class=\"dot\"></i>outside of \
         it: an alert</span></p><div class=\"charts\">",
        how(performance)
    );
    performance.metrics.iter().for_each(|one| chart(html, one));
    html.push_str("</div>");
}

fn how(performance: &Performance) -> String {
    match performance.task {
        Task::Binary => {
            "Where labels are missing, performance is estimated from calibrated scores (CBPE): the \
             score says how often such a row is positive, and expected counts follow. It assumes that \
             this dependence has not changed: pure concept drift does not show."
                .to_owned()
        }
        Task::Multiclass => {
            "Means over the classes, each against the rest. Where labels are missing, performance is \
             estimated from the calibrated scores of the classes (CBPE). It assumes that labels depend \
             on scores as they did: pure concept drift does not show."
                .to_owned()
        }
        Task::Regression => {
            "Where labels are missing, performance is estimated by a model of the model's errors \
             (DLE), learned on the reference. It assumes that the dependence of labels on features \
             has not changed."
                .to_owned()
        }
        Task::Quantile => format!(
            "Predictions of the {} quantile: labels should be above them in {} % of the rows.",
            performance.quantile.unwrap_or_default(),
            // Tenths of a percent: no 9.999.
            (1000.0 * (1.0 - performance.quantile.unwrap_or_default())).round() / 10.0
        ),
        Task::Ranking => format!(
            "The order of the items of each query by their score, as far as place {}; means over queries \
             that have a relevant item. Equal scores get the mean over all their orders.",
            performance.top.unwrap_or_default()
        ),
    }
}

fn chart(html: &mut String, series: &MetricSeries) {
    put!(
        html,
        "<div class=\"card wide\"><h3>{} <span class=\"soft\">on the reference {}</span></h3>\
         <p class=\"soft small\">{}</p>{}</div>",
        words::metric_title(series.name),
        short(series.reference),
        words::metric(series.name),
        metric(series)
    );
}

fn glossary(html: &mut String, outcome: &Outcome) {
    html.push_str(
        "<h2>How to read the numbers</h2><p><b>p</b> is the chance of a difference as large as this one \
         when nothing has changed, at these numbers of rows. <b>alarm when</b> is what it is held \
         against: by default 5 % for all columns of a window together (Holm's correction), so that \
         watching many columns does not raise false alarms, in small windows and in large ones. \
         <b>effect</b> is how large the difference is, whatever the number of rows; one too small to \
         matter is no alarm however sure it is.</p>",
    );
    let mut used: Vec<(&str, String)> = Vec::new();
    for one in outcome.overall.columns.iter().flat_map(|column| &column.measures) {
        let title = words::detector(one.detector);
        if used.iter().all(|(known, _)| *known != title) {
            let of_values = detector::find(one.detector).map(detector::Detector::documentation);
            let of_vectors =
                || embedding::find(one.detector).map(embedding::Detector::documentation);
            used.extend(of_values.or_else(of_vectors).map(|text| (title, text)));
        }
    }
    for one in &outcome.multivariate {
        let known = multivariate::ALL.iter().find(|known| known.name == one.detector);
        if let Some(found) = known.filter(|found| used.iter().all(|(t, _)| *t != found.title())) {
            used.push((found.title(), found.documentation()));
        }
    }
    for one in sequential::ALL {
        if outcome.streams.iter().any(|stream| stream.detector == one.name) {
            used.push((one.title(), one.documentation()));
        }
    }
    for (title, text) in used {
        put!(html, "<details><summary>{title}</summary><pre>{}</pre></details>", escape(&text));
    }
}
