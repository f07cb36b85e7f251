//! An experiment: whether its rows can be believed, and what is sure about each metric.

use super::super::chart::{self, escape};
use super::super::words::experiment::{amount, mean, range, relative, split, verdict};
use super::super::{chance, counted, short};
use crate::experiment::Difference;
use crate::monitor::{Compared, Outcome, Trial, Verdict};

pub(super) fn experiment(html: &mut String, outcome: &Outcome) {
    let Some(trial) = &outcome.experiment else { return };
    html.push_str(
        "<h2>Experiment</h2><p class=\"soft\">The reference is the control, the current rows are the \
         treatment. <b>Whenever you look</b>: an interval and a p that hold after every row, so that one may \
         look each day and stop when it is sure. <b>Once</b>: Welch’s, narrower, and right only if the number \
         of rows was fixed before.</p>",
    );
    let class = if trial.sample_ratio.mismatch { "bad" } else { "soft" };
    put!(html, "<p class=\"{class}\">{}</p>", escape(&split(&trial.sample_ratio)));
    html.push_str("<div class=\"charts\">");
    trial.metrics.iter().for_each(|metric| card(html, metric));
    html.push_str("</div>");
    segments(html, trial);
}

fn card(html: &mut String, metric: &Compared) {
    let class = if metric.verdict == Verdict::Undecided { "warn" } else { "good" };
    put!(
        html,
        "<div class=\"card wide\"><h3>{}<span class=\"tag {class}\">{}</span></h3><p class=\"soft small\">\
         {} → {}{}; {} and {} rows with a value</p>",
        escape(&metric.metric),
        verdict(metric),
        mean(metric, metric.control.mean),
        mean(metric, metric.treatment.mean),
        relative(metric).map_or(String::new(), |part| format!(" ({part})")),
        rows(metric.control.rows),
        rows(metric.treatment.rows),
    );
    html.push_str(&chart::intervals(metric));
    put!(
        html,
        "<div class=\"scroll\"><table class=\"measures lines\"><thead><tr><th></th><th>difference</th>\
         <th>{} % interval</th><th>p</th></tr></thead><tbody>",
        short(100.0 * (1.0 - metric.level))
    );
    for (name, found) in [("whenever you look", &metric.always_valid), ("once", &metric.difference)]
    {
        put!(html, "<tr><td>{name}</td>{}</tr>", numbers(metric, found.as_ref()));
    }
    html.push_str("</tbody></table></div>");
    put!(
        html,
        "<p class=\"soft small\">The sequential test expects differences of about {} (its scale).</p>",
        amount(metric, metric.scale).trim_start_matches('+')
    );
    if metric.looks.len() > 1 {
        html.push_str(
            "<p class=\"soft small\">The difference and its interval as somebody would have seen them after \
             each window; where a dot is red, it was sure:</p>",
        );
        html.push_str(&chart::looks(metric));
    }
    html.push_str("</div>");
}

fn rows(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
    let whole = number as u64;
    counted(whole)
}

fn numbers(metric: &Compared, found: Option<&Difference>) -> String {
    let Some(found) = found else {
        return "<td colspan=\"3\">too few rows, or no spread</td>".to_owned();
    };
    format!(
        "<td>{}</td><td>{}</td><td>{}</td>",
        amount(metric, found.value),
        range(metric, found),
        chance(found.probability)
    )
}

fn segments(html: &mut String, trial: &Trial) {
    if trial.segments.is_empty() {
        return;
    }
    put!(
        html,
        "<h3>By segment</h3><p class=\"soft\">Whenever you look; intervals are wider, so that none of the {} \
         segments is taken for something by chance. Green is surely higher, red surely lower.</p><div class=\"card wide scroll\">\
         <table class=\"measures lines\"><thead><tr><th></th>",
        trial.segments.len()
    );
    for metric in &trial.metrics {
        put!(html, "<th>{}</th>", escape(&metric.metric));
    }
    html.push_str("</tr></thead><tbody>");
    for segment in &trial.segments {
        put!(html, "<tr><td>{}</td>", escape(&segment.name));
        for metric in &segment.metrics {
            let class = match metric.verdict {
                Verdict::Higher => "good",
                Verdict::Lower => "bad",
                Verdict::Undecided => "soft",
            };
            let said = metric.always_valid.map_or("too few rows".to_owned(), |found| {
                format!("{} ({})", amount(metric, found.value), range(metric, &found))
            });
            put!(html, "<td class=\"{class}\">{said}</td>");
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
}
