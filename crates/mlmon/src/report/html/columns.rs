//! A column's card: what changed in words and numbers, and both distributions.

use super::super::chart::{bars, bars_width, escape};
use super::super::{chance, rule, short, words};
use crate::column::Kind;
use crate::compare::{Bin, ColumnReport};
use crate::embedding::Described;
use crate::monitor::Outcome;

/// Categories listed with their shares.
const NAMED: usize = 6;

pub(super) fn card(html: &mut String, column: &ColumnReport, outcome: &Outcome) {
    let tag = if column.drifted {
        "<span class=\"tag bad\">drifted</span>"
    } else if !column.findings.is_empty() {
        "<span class=\"tag warn\">look</span>"
    } else {
        ""
    };
    put!(html, "<section class=\"card\"><div><h3>{}{tag}</h3>", escape(&column.name));
    for sentence in words::column(column, outcome) {
        put!(html, "<p class=\"soft\">{}</p>", escape(&sentence));
    }
    measures(html, column);
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
    let shown = shown(&column.bins);
    if !shown.is_empty() {
        if column.embedding.is_some() {
            html.push_str(
                "<p class=\"soft small\">Rows by their distance from the reference's centroid</p>",
            );
        }
        html.push_str(&bars(shown));
        ends(html, column, shown);
    }
    if let Some(described) = &column.embedding {
        components(html, described);
    }
    html.push_str("</div></section>");
}

/// Components that moved by so many standard deviations are told of in the page.
const MOVED: f64 = 0.1;

/// The components whose mean moved most, as bars to the left and to the right.
fn components(html: &mut String, described: &Described) {
    let moved = || described.components.iter().filter(|one| one.shift.abs() >= MOVED);
    let Some(most) = moved().map(|one| one.shift.abs()).reduce(f64::max) else { return };
    html.push_str(
        "<table class=\"components small\"><caption class=\"soft\">Components whose mean moved most, \
         in standard deviations</caption><tbody>",
    );
    for one in moved() {
        let (width, side) =
            (one.shift.abs() / most * 50.0, if one.shift < 0.0 { "down" } else { "up" });
        put!(
            html,
            "<tr title=\"mean {} → {}\"><th scope=\"row\">{}</th><td class=\"way\"><i class=\"{side}\" \
             style=\"width:{width:.1}%\"></i></td><td>{:+.2}</td></tr>",
            short(one.reference),
            short(one.current),
            one.place,
            one.shift
        );
    }
    html.push_str("</tbody></table>");
}

/// The bins without those at the end that no row ever was in.
fn shown(bins: &[Bin]) -> &[Bin] {
    let filled = |bin: &Bin| bin.reference > 0.0 || bin.current > 0.0;
    let end = bins.iter().rposition(filled).map_or(0, |last| last + 1);
    bins.get(..end).unwrap_or_default()
}

/// What lies at both ends of the axis, or each category where there are few.
fn ends(html: &mut String, column: &ColumnReport, bins: &[Bin]) {
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return };
    if column.kind != Some(Kind::Categorical) {
        put!(
            html,
            "<p class=\"soft small ends\" style=\"width:{:.0}%\"><span>{}</span><span>{}</span></p>",
            bars_width(bins),
            escape(&first.label),
            escape(&last.label)
        );
        return;
    }
    html.push_str("<table class=\"names small\">");
    for bin in bins.iter().take(NAMED) {
        put!(
            html,
            "<tr><td>{}</td><td>{:.1} %</td><td>→ {:.1} %</td></tr>",
            escape(&bin.label),
            bin.reference * 100.0,
            bin.current * 100.0
        );
    }
    html.push_str("</table>");
    if let Some(more) = bins.len().checked_sub(NAMED).filter(|more| *more > 0) {
        put!(html, "<p class=\"soft small\">and {more} more</p>");
    }
}

fn measures(html: &mut String, column: &ColumnReport) {
    if column.measures.is_empty() {
        return;
    }
    html.push_str(
        "<div class=\"scroll\"><table class=\"measures\"><thead><tr><th>detector</th><th>value</th>\
         <th>effect</th><th>p</th><th>alarm when</th></tr></thead><tbody>",
    );
    for one in &column.measures {
        let class = if one.verdict.drifted { " class=\"bad\"" } else { "" };
        let title = words::detector(one.detector);
        put!(
            html,
            "<tr{class}><td>{title}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            short(one.measure.value),
            short(one.measure.effect),
            chance(one.measure.probability),
            escape(&rule(one.verdict.rule))
        );
    }
    html.push_str("</tbody></table></div>");
}
