//! The outcome as one page that needs nothing else: no script, no font, no network; light and dark.

mod columns;
mod rows;

use super::chart::{escape, heatmap, series};
use super::words;
use super::{counted, short};
use crate::monitor::{MetricSeries, Outcome, Task};
use crate::{detector, multivariate, sequential};

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
    performance(&mut html, outcome);
    rows::fairness(&mut html, outcome);
    if !outcome.windows.is_empty() {
        html.push_str(
            "<h2>Drift over time</h2><p class=\"soft\">Each window of the current data against the \
             whole reference. A cell says the detector's value; its colour is the stronger the larger the effect, \
             and framed where it is an alarm for a window of that many rows.</p><div class=\"card wide\">",
        );
        html.push_str(&heatmap(&outcome.windows, &outcome.overall));
        html.push_str("</div>");
    }
    if !outcome.segments.is_empty() {
        html.push_str(
            "<h2>By segment</h2><p class=\"soft\">Each segment of the current data against the same \
             segment of the reference, largest first.</p><div class=\"card wide\">",
        );
        html.push_str(&heatmap(&outcome.segments, &outcome.overall));
        html.push_str("</div>");
    }
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
    let findings: usize = report.columns.iter().map(|column| column.findings.len()).sum();
    let windows = outcome.windows.iter().filter(|part| part.report.drifted > 0).count();
    put!(
        html,
        "<h1>{}</h1><p>{verdict} of {} compared; reference {} rows, current {} rows.</p>{}\
         <div class=\"tiles\"><div class=\"tile\"><span class=\"soft\">drifted columns</span><b>{} / {}</b></div>",
        escape(&outcome.name),
        report.compared,
        counted(report.rows.0),
        counted(report.rows.1),
        story(outcome),
        report.drifted,
        report.compared,
    );
    if !outcome.windows.is_empty() {
        put!(
            html,
            "<div class=\"tile\"><span class=\"soft\">windows with drift</span><b>{windows} / {}</b></div>",
            outcome.windows.len()
        );
    }
    if let Some(performance) = &outcome.performance {
        let points = performance.metrics.iter().flat_map(|metric| &metric.points);
        let alerts = points.filter(|point| point.alert).count();
        put!(
            html,
            "<div class=\"tile\"><span class=\"soft\">performance alerts</span><b>{alerts}</b></div>"
        );
    }
    put!(
        html,
        "<div class=\"tile\"><span class=\"soft\">data-quality findings</span><b>{findings}</b></div>\
         <div class=\"tile\"><span class=\"soft\">duplicate rows</span><b>{}</b></div></div>",
        outcome.duplicates.map_or_else(|| "–".to_owned(), counted)
    );
    if !outcome.notes.is_empty() {
        html.push_str("<ul class=\"soft notes\">");
        for note in &outcome.notes {
            put!(html, "<li>{}</li>", escape(note));
        }
        html.push_str("</ul>");
    }
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
    put!(
        html,
        "<h2>Performance</h2><p class=\"soft\">{}</p><p class=\"soft\">Solid line: realised from \
         labels. Dashed line and shade: estimated, ± 3 standard errors of a window of that size. Green \
         area: mean ± 3 standard deviations over chunks of the reference; outside is an alert (red).</p>",
        how(performance.task)
    );
    performance.metrics.iter().for_each(|one| metric(html, one));
}

fn how(task: Task) -> &'static str {
    match task {
        Task::Binary => {
            "Where labels are missing, performance is estimated from calibrated scores (CBPE): the \
             score says how often such a row is positive, and expected counts follow. It assumes that \
             this dependence has not changed: pure concept drift does not show."
        }
        Task::Multiclass => {
            "Means over the classes, each against the rest. Where labels are missing, performance is \
             estimated from the calibrated scores of the classes (CBPE). It assumes that labels depend \
             on scores as they did: pure concept drift does not show."
        }
        Task::Regression => {
            "Where labels are missing, performance is estimated by a model of the model's errors \
             (DLE), learned on the reference. It assumes that the dependence of labels on features \
             has not changed."
        }
    }
}

fn metric(html: &mut String, metric: &MetricSeries) {
    let meaning = words::metric(metric.name);
    put!(
        html,
        "<div class=\"card wide\"><h3>{} <span class=\"soft\">on the reference {}</span></h3>\
         <p class=\"soft small\">{meaning}</p><div class=\"scroll\">{}</div></div>",
        words::metric_title(metric.name),
        short(metric.reference),
        series(metric)
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
        if let Some(found) = detector::find(one.detector)
            && used.iter().all(|(title, _)| *title != found.title)
        {
            used.push((found.title, found.documentation()));
        }
    }
    for one in &outcome.multivariate {
        if let Some(found) = multivariate::ALL.iter().find(|known| known.name == one.detector) {
            used.push((found.name, found.documentation()));
        }
    }
    for one in sequential::ALL {
        if outcome.streams.iter().any(|stream| stream.detector == one.name) {
            used.push((one.name, one.documentation()));
        }
    }
    for (title, text) in used {
        put!(html, "<details><summary>{title}</summary><pre>{}</pre></details>", escape(&text));
    }
}
