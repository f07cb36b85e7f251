//! Decisions: the confusion matrix of both sides, and what another threshold would do.

use super::super::chart::{Curve, escape, thresholds};
use super::super::{counted, words};
use crate::monitor::{ByThreshold, Classes, Outcome, Thresholds};
use crate::performance::binary::Confusion;

/// Classes of a matrix that is drawn; of more, the page would be all matrix.
const CLASSES_DRAWN: usize = 30;

pub(super) fn decisions(html: &mut String, outcome: &Outcome) {
    let Some(performance) = &outcome.performance else { return };
    if let Some(found) = &performance.thresholds {
        by_threshold(html, found);
    }
    if let Some(found) = &performance.classes {
        by_class(html, found);
    }
}

fn by_threshold(html: &mut String, found: &Thresholds) {
    html.push_str(
        "<h2>Decisions</h2><p class=\"soft\">What the model decides over all rows, and what it would \
         decide if scores from another threshold on were positive. A lower threshold finds more positive \
         rows and takes more negative ones for positive.</p><ul class=\"story\">",
    );
    for sentence in words::decisions::thresholds(found) {
        put!(html, "<li>{}</li>", escape(&sentence));
    }
    html.push_str("</ul><div class=\"charts\"><div class=\"card wide row\"><h3>Confusion matrix</h3><div class=\"pair\">");
    for (side, of) in [("reference", &found.reference), ("current", &found.current)] {
        two_by_two(html, side, of);
    }
    html.push_str("</div><p class=\"soft small\">Percent of the rows with that label.</p></div>");
    let rates = [
        Curve { name: "precision", class: "first", of: |at| at.precision },
        Curve { name: "recall", class: "second", of: |at| at.recall },
    ];
    let best = found.current.best_f1.as_ref();
    let legend = legend(&["precision", "recall"], "F1");
    card(html, "Precision and recall by threshold", &legend, &thresholds(found, &rates, best));
    let f1 = [
        Curve { name: "F1", class: "first", of: |at| at.f1 },
        Curve { name: "Matthews' correlation", class: "second", of: |at| Some(at.mcc) },
    ];
    let marks = self::legend(&["F1", "Matthews’ correlation"], "F1");
    card(html, "F1 by threshold", &marks, &thresholds(found, &f1, best));
    if let Some(best) = &found.current.best_value {
        let value = [Curve { name: "value", class: "first", of: |at| at.value }];
        let drawn = thresholds(found, &value, Some(best));
        card(html, "Worth of a decision by threshold", &self::legend(&["worth"], "worth"), &drawn);
    }
    html.push_str("</div>");
}

fn card(html: &mut String, title: &str, legend: &str, drawn: &str) {
    put!(html, "<div class=\"card wide\"><h3>{title}</h3>{legend}{drawn}</div>");
}

fn legend(curves: &[&str], best: &str) -> String {
    let mut html = "<p class=\"legend soft small\">".to_owned();
    for (curve, class) in curves.iter().zip(["first", "second"]) {
        put!(html, "<span><i class=\"line {class}\"></i>{curve}</span>");
    }
    put!(
        html,
        "<span>pale: reference</span><span><i class=\"mark used\"></i>in use</span><span>\
         <i class=\"mark best\"></i>greatest {best}</span></p>"
    );
    html
}

fn two_by_two(html: &mut String, side: &str, of: &ByThreshold) {
    let Confusion { true_positive, false_positive, false_negative, true_negative } =
        of.decided.confusion;
    let expected = if of.estimated { ", expected" } else { "" };
    put!(
        html,
        "<table class=\"matrix\"><caption>{side}{expected}, {} rows</caption><thead><tr><th></th>\
         <th scope=\"col\">decided positive</th><th scope=\"col\">decided negative</th></tr></thead><tbody>",
        counted(of.rows)
    );
    let rows = [
        ("positive", [(true_positive, true), (false_negative, false)]),
        ("negative", [(false_positive, false), (true_negative, true)]),
    ];
    for (label, cells) in rows {
        let all: f64 = cells.iter().map(|cell| cell.0).sum();
        put!(html, "<tr><th scope=\"row\">{label}</th>");
        for (rows, right) in cells {
            cell(html, rows, rows / all.max(1.0), right);
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
}

/// How many rows, and the part of the rows of that label.
fn cell(html: &mut String, rows: f64, share: f64, right: bool) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
    let whole = rows.round() as u64;
    put!(
        html,
        "<td class=\"{}\" style=\"--s:{share:.2}\">{}<span class=\"soft\">{:.1} %</span></td>",
        if right { "right" } else { "wrong" },
        counted(whole),
        share * 100.0
    );
}

fn by_class(html: &mut String, found: &Classes) {
    html.push_str(
        "<h2>Decisions</h2><p class=\"soft\">A row for each true class, a column for what it was taken \
         for; percent of the rows of that class. Right decisions lie on the diagonal.</p>",
    );
    if let Some(sentence) = words::decisions::classes(found) {
        put!(html, "<ul class=\"story\"><li>{}</li></ul>", escape(&sentence));
    }
    if found.names.len() > CLASSES_DRAWN {
        put!(
            html,
            "<p class=\"soft\">{} classes are too many to draw; the matrix is in the JSON.</p>",
            found.names.len()
        );
        return;
    }
    html.push_str("<div class=\"charts\">");
    matrix(html, "reference", &found.names, &found.reference);
    match &found.current {
        Some(current) => matrix(html, "current", &found.names, current),
        None => html.push_str("<p class=\"soft\">No current row has a label yet.</p>"),
    }
    html.push_str("</div>");
}

fn matrix(html: &mut String, side: &str, names: &[String], counts: &[Vec<u64>]) {
    let rows: u64 = counts.iter().flatten().sum();
    put!(
        html,
        "<div class=\"card wide scroll\"><table class=\"matrix\"><caption>{side}, {} rows</caption><thead>\
         <tr><th></th>",
        counted(rows)
    );
    for name in names {
        put!(html, "<th scope=\"col\">{}</th>", escape(name));
    }
    html.push_str("</tr></thead><tbody>");
    for (class, (name, counts)) in names.iter().zip(counts).enumerate() {
        let all: u64 = counts.iter().sum();
        put!(html, "<tr><th scope=\"row\">{}</th>", escape(name));
        for (other, rows) in counts.iter().enumerate() {
            let rows = *rows as f64;
            cell(html, rows, rows / all.max(1) as f64, other == class);
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
}
