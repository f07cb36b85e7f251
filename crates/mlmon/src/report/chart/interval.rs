//! Intervals of a difference against nought.

use super::super::{brief, short};
use super::{Dot, LEFT, Line, RIGHT, WIDTH, ends};
use crate::estimate::Estimate;
use crate::monitor::Compared;

const ROW: f64 = 22.0;

/// Both intervals of a metric, and where nought is.
pub(in crate::report) fn intervals(metric: &Compared) -> String {
    let rows = [("whenever", metric.always_valid), ("once", metric.difference)];
    let known = || rows.iter().filter_map(|(_, found)| found.as_ref());
    let bounds = known().flat_map(|found| [found.lower, found.upper]);
    let (low, high) = ends(bounds.chain([0.0]));
    if known().next().is_none() {
        return String::new();
    }
    let room = ((high - low) * 0.06).max(1e-12);
    let (low, high) = (low - room, high + room);
    let left = LEFT + 18.0;
    let x = |value: f64| left + (value - low) / (high - low) * (WIDTH - left - RIGHT);
    let height = ROW * rows.len() as f64 + 20.0;
    let mut svg = format!(
        "<svg class=\"series\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"intervals of the \
         difference\"><line class=\"zero\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{:.1}\"/>",
        height - 18.0,
        at = x(0.0)
    );
    for (place, (name, found)) in rows.iter().enumerate() {
        let Some(found) = found else { continue };
        let y = ROW * (place as f64 + 0.5);
        let sure = found.lower > 0.0 || found.upper < 0.0;
        put!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text><line class=\"interval {}\" \
             x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><circle class=\"middle\" cx=\"{:.1}\" \
             cy=\"{y:.1}\" r=\"4\"><title>{} ({} … {})</title></circle>",
            left - 8.0,
            y + 4.0,
            if sure { "sure-of" } else { "" },
            x(found.lower),
            x(found.upper),
            x(found.value),
            short(found.value),
            short(found.lower),
            short(found.upper),
        );
    }
    let scale = if metric.conversion { 100.0 } else { 1.0 };
    let inner = [low + room, 0.0, high - room];
    let mut shown: Vec<f64> = Vec::new();
    for value in [inner[1], inner[0], inner[2]] {
        if shown.iter().all(|other| (x(*other) - x(value)).abs() > 40.0) {
            shown.push(value);
            put!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x(value),
                height - 4.0,
                brief(value * scale)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The always-valid difference after each window.
pub(in crate::report) fn looks(metric: &Compared) -> String {
    let scale = if metric.conversion { 100.0 } else { 1.0 };
    let dots = metric.looks.iter().map(|look| {
        let found = look.difference;
        let estimate = Estimate {
            value: found.value * scale,
            sampling_error: 0.0,
            lower: found.lower * scale,
            upper: found.upper * scale,
        };
        let said = format!(
            "{} ({} … {}) after {} and {} rows",
            short(estimate.value),
            short(estimate.lower),
            short(estimate.upper),
            look.rows.0,
            look.rows.1
        );
        let alert = found.lower > 0.0 || found.upper < 0.0;
        Dot { window: &look.window, value: None, estimate: Some(estimate), alert, said }
    });
    let name = "difference over time";
    Line { name, band: None, reference: Some(0.0), dots: dots.collect() }.draw()
}
