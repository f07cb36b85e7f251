//! The outcome as one page that needs nothing else: no script, no font, no network; light and dark.

use super::chart::{bars, escape, heatmap, series};
use super::{rule, short};
use crate::compare::ColumnReport;
use crate::detector;
use crate::monitor::{Outcome, Task};

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
    outcome.overall.columns.iter().for_each(|one| column(&mut html, one));
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
        "<h1>{}</h1><p>{verdict} of {} compared; reference {} rows, current {} rows.</p>\
         <div class=\"tiles\"><div class=\"tile\"><span class=\"soft\">drifted columns</span><b>{} / {}</b></div>",
        escape(&outcome.name),
        report.compared,
        report.rows.0,
        report.rows.1,
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
        outcome.duplicates
    );
    for note in &outcome.notes {
        put!(html, "<p class=\"soft\">{}</p>", escape(note));
    }
}

fn performance(html: &mut String, outcome: &Outcome) {
    let Some(performance) = &outcome.performance else { return };
    let how = match performance.task {
        Task::Binary => {
            "Where labels are missing, performance is estimated from calibrated scores (CBPE): the \
             score says how often such a row is positive, and expected counts follow. It assumes that \
             this dependence has not changed: pure concept drift does not show."
        }
        Task::Regression => {
            "Where labels are missing, performance is estimated by a model of the model's errors \
             (DLE), learned on the reference. It assumes that the dependence of labels on features \
             has not changed."
        }
    };
    put!(
        html,
        "<h2>Performance</h2><p class=\"soft\">{how}</p><p class=\"soft\">Solid line: realised from \
         labels. Dashed line and shade: estimated, ± 3 standard errors of a window of that size. Green \
         area: mean ± 3 standard deviations over chunks of the reference; outside is an alert (red).</p>"
    );
    for metric in &performance.metrics {
        put!(
            html,
            "<div class=\"card wide\"><h3>{} <span class=\"soft\">reference {}</span></h3>{}</div>",
            metric.name,
            short(metric.reference),
            series(metric)
        );
    }
}

fn column(html: &mut String, column: &ColumnReport) {
    let tag = if column.drifted {
        "<span class=\"tag bad\">drifted</span>"
    } else if !column.findings.is_empty() {
        "<span class=\"tag warn\">look</span>"
    } else {
        ""
    };
    put!(html, "<section class=\"card\"><div><h3>{}{tag}</h3>", escape(&column.name));
    if let Some([past, now]) = column.moments {
        put!(
            html,
            "<p class=\"soft\">mean {} → {}, standard deviation {} → {}</p>",
            short(past.0),
            short(now.0),
            short(past.1),
            short(now.1)
        );
    }
    if !column.measures.is_empty() {
        html.push_str(
            "<table class=\"measures\"><thead><tr><th>detector</th><th>value</th><th>effect</th>\
             <th>p</th><th>alarm when</th></tr></thead><tbody>",
        );
        for one in &column.measures {
            let class = if one.verdict.drifted { " class=\"bad\"" } else { "" };
            let title = detector::find(one.detector).map_or(one.detector, |found| found.title);
            put!(
                html,
                "<tr{class}><td>{title}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                short(one.measure.value),
                short(one.measure.effect),
                short(one.measure.probability),
                rule(one.verdict.rule)
            );
        }
        html.push_str("</tbody></table>");
    }
    if !column.findings.is_empty() {
        html.push_str("<ul>");
        for finding in &column.findings {
            put!(html, "<li class=\"warn\">{}</li>", escape(&finding.sentence()));
        }
        html.push_str("</ul>");
    }
    if let Some(error) = &column.error {
        put!(html, "<p class=\"warn\">{}</p>", escape(error));
    }
    html.push_str("</div><div>");
    if !column.bins.is_empty() {
        html.push_str(&bars(&column.bins));
        if let (Some(first), Some(last)) = (column.bins.first(), column.bins.last()) {
            put!(
                html,
                "<p class=\"soft\" style=\"display:flex;justify-content:space-between\"><span>{}</span><span>{}</span></p>",
                escape(&first.label),
                escape(&last.label)
            );
        }
    }
    html.push_str("</div></section>");
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
    let mut used: Vec<&str> = Vec::new();
    for column in &outcome.overall.columns {
        for one in &column.measures {
            if !used.contains(&one.detector) {
                used.push(one.detector);
            }
        }
    }
    for name in used {
        if let Some(found) = detector::find(name) {
            put!(
                html,
                "<details><summary>{}</summary><pre>{}</pre></details>",
                found.title,
                escape(&found.documentation())
            );
        }
    }
}
