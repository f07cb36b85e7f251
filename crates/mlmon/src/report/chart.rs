//! Charts as SVG, drawn by hand: bars of two distributions, a line with its band, a heatmap.

use super::short;
use crate::compare::{Bin, Report};
use crate::monitor::{MetricSeries, Part};

/// Text that is safe inside HTML and attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Both distributions, bar over bar: the reference behind, wide and pale; the current in front.
pub(super) fn bars(bins: &[Bin]) -> String {
    const HEIGHT: f64 = 96.0;
    const STEP: f64 = 26.0;
    let most = bins.iter().map(|bin| bin.reference.max(bin.current)).fold(1e-9, f64::max);
    let width = STEP * (bins.len().max(8)) as f64;
    let mut svg = format!(
        "<svg class=\"bars\" viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"distributions\">",
        HEIGHT + 4.0
    );
    for (place, bin) in bins.iter().enumerate() {
        let x = STEP * place as f64;
        let (past, now) = (bin.reference / most * HEIGHT, bin.current / most * HEIGHT);
        put!(
            svg,
            "<g><title>{}: reference {:.2} %, current {:.2} %</title>\
             <rect class=\"hit\" x=\"{x:.1}\" y=\"0\" width=\"{STEP}\" height=\"{HEIGHT}\"/>\
             <rect class=\"past\" x=\"{:.1}\" y=\"{:.1}\" width=\"20\" height=\"{past:.1}\"/>\
             <rect class=\"now\" x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"{now:.1}\"/></g>",
            escape(&bin.label),
            bin.reference * 100.0,
            bin.current * 100.0,
            x + 3.0,
            HEIGHT - past,
            x + 8.0,
            HEIGHT - now,
        );
    }
    put!(
        svg,
        "<line class=\"axis\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{width}\" y2=\"{HEIGHT}\"/></svg>"
    );
    svg
}

/// A metric over windows: realised points, the estimate with its band, the reference's limits.
pub(super) fn series(metric: &MetricSeries) -> String {
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 180.0;
    const LEFT: f64 = 64.0;
    let points = &metric.points;
    let mut values: Vec<f64> = vec![metric.reference];
    values.extend(metric.band.lower.into_iter().chain(metric.band.upper));
    for point in points {
        values.extend(point.realized);
        if let Some(estimate) = point.estimate {
            values.extend([estimate.lower, estimate.upper]);
        }
    }
    values.retain(|value| value.is_finite());
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let room = ((high - low) * 0.1).max(1e-9);
    let (low, high) = (low - room, high + room);
    let y = |value: f64| 8.0 + (high - value) / (high - low) * (HEIGHT - 36.0);
    let step = (WIDTH - LEFT - 16.0) / points.len().max(2).saturating_sub(1) as f64;
    let x = |place: usize| {
        LEFT + step * place as f64 + if points.len() == 1 { step / 2.0 } else { 0.0 }
    };
    let mut svg = format!(
        "<svg class=\"series\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        metric.name
    );
    let top = y(metric.band.upper.unwrap_or(high).min(high));
    let bottom = y(metric.band.lower.unwrap_or(low).max(low));
    put!(
        svg,
        "<rect class=\"band\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>where the reference's chunks lie (mean ± 3 standard deviations)</title></rect>",
        WIDTH - LEFT - 8.0,
        bottom - top
    );
    for value in [low + room, metric.reference, high - room] {
        let at = y(value);
        put!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{WIDTH}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            short(value)
        );
    }
    let estimates: Vec<(usize, crate::estimate::Estimate)> = points
        .iter()
        .enumerate()
        .filter_map(|(place, point)| Some((place, point.estimate?)))
        .collect();
    let upper = estimates.iter().map(|(place, one)| (x(*place), y(one.upper)));
    let lower = estimates.iter().rev().map(|(place, one)| (x(*place), y(one.lower)));
    put!(svg, "<polygon class=\"sure\" points=\"{}\"/>", path(upper.chain(lower)));
    let middle = estimates.iter().map(|(place, one)| (x(*place), y(one.value)));
    put!(svg, "<polyline class=\"estimate\" points=\"{}\"/>", path(middle));
    let realized =
        points.iter().enumerate().filter_map(|(place, point)| Some((x(place), y(point.realized?))));
    put!(svg, "<polyline class=\"realized\" points=\"{}\"/>", path(realized));
    for (place, point) in points.iter().enumerate() {
        let Some(value) = point.realized.or(point.estimate.map(|one| one.value)) else { continue };
        let class = if point.alert { "alert" } else { "fine" };
        let said = match (point.realized, point.estimate) {
            (Some(realized), Some(estimate)) => {
                format!("realised {}, estimated {}", short(realized), short(estimate.value))
            }
            (Some(realized), None) => format!("realised {}", short(realized)),
            (None, Some(estimate)) => format!(
                "estimated {} ({} … {})",
                short(estimate.value),
                short(estimate.lower),
                short(estimate.upper)
            ),
            (None, None) => String::new(),
        };
        put!(
            svg,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{}: {said}</title></circle>",
            x(place),
            y(value),
            escape(&point.window)
        );
    }
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        put!(svg, "<text x=\"{LEFT}\" y=\"{:.1}\">{}</text>", HEIGHT - 6.0, escape(&first.window));
        if points.len() > 1 {
            put!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - 8.0,
                HEIGHT - 6.0,
                escape(&last.window)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

/// Columns against windows or segments; a cell is darker the larger the effect, framed where it alarms.
pub(super) fn heatmap(parts: &[Part], overall: &Report) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"heat\"><thead><tr><th></th>");
    for part in parts {
        put!(html, "<th scope=\"col\"><span>{}</span></th>", escape(&part.name));
    }
    html.push_str("</tr></thead><tbody>");
    for column in overall.columns.iter().filter(|column| !column.measures.is_empty()) {
        put!(html, "<tr><th scope=\"row\">{}</th>", escape(&column.name));
        for part in parts {
            let found = part.report.columns.iter().find(|other| other.name == column.name);
            let Some(one) = found.and_then(super::leading) else {
                html.push_str("<td></td>");
                continue;
            };
            let strength = (one.measure.effect / 0.5).clamp(0.0, 1.0).sqrt();
            let alarm = found.is_some_and(|found| found.drifted);
            put!(
                html,
                "<td class=\"{}\" style=\"--s:{strength:.2}\" title=\"{} in {}: {} {}, p {}, {} rows\">{}</td>",
                if alarm { "alarm" } else { "" },
                escape(&column.name),
                escape(&part.name),
                one.detector,
                short(one.measure.value),
                short(one.measure.probability),
                part.report.rows.1,
                short(one.measure.value),
            );
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}
