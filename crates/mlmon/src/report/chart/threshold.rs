//! Rates of decisions over the threshold, before and now.

use super::super::{brief, short};
use super::{HEIGHT, LEFT, RIGHT, WIDTH, ends, grid_line, path};
use crate::monitor::Thresholds;
use crate::performance::thresholds::AtThreshold;

/// A rate, and the style that it is drawn in.
pub(in crate::report) struct Curve {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) class: &'static str,
    pub(in crate::report) of: fn(&AtThreshold) -> Option<f64>,
}

/// The curves of both sides, with a line at the threshold in use and one at the best of the current rows.
pub(in crate::report) fn thresholds(
    found: &Thresholds,
    curves: &[Curve],
    best: Option<&AtThreshold>,
) -> String {
    let sides = [(&found.reference.points, "past"), (&found.current.points, "now")];
    let values = || {
        let points = sides.iter().flat_map(|(points, _)| points.iter());
        points.flat_map(|at| curves.iter().filter_map(|curve| (curve.of)(at)))
    };
    let (low, high) = ends(values());
    // Rates fill the whole height, amounts as much as they need.
    let (low, high) = if low >= 0.0 && high <= 1.0 { (0.0, 1.0) } else { (low, high) };
    let points = &found.reference.points;
    let ends = points.first().zip(points.last());
    let (first, last) = ends.map_or((0.0, 1.0), |(first, last)| (first.threshold, last.threshold));
    let room = (last - first).max(f64::MIN_POSITIVE);
    let x = |threshold: f64| {
        LEFT + ((threshold - first) / room).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    };
    let y = |value: f64| 8.0 + (high - value) / (high - low).max(1e-12) * (HEIGHT - 34.0);
    let mut svg = format!(
        "<svg class=\"series curves\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{} by threshold\">",
        curves.iter().map(|curve| curve.name).collect::<Vec<_>>().join(" and ")
    );
    for value in [low, f64::midpoint(low, high), high] {
        grid_line(&mut svg, y(value), value);
    }
    for (at, class) in [(found.used, "used"), (best.map(|best| best.threshold), "best")] {
        let Some(at) = at.filter(|at| at.is_finite()) else { continue };
        put!(
            svg,
            "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"4\" y2=\"{:.1}\"/>",
            HEIGHT - 24.0,
            at = x(at),
        );
    }
    for (points, side) in sides {
        for curve in curves {
            let line = points.iter().filter_map(|at| Some((x(at.threshold), y((curve.of)(at)?))));
            put!(
                svg,
                "<polyline class=\"curve {} {side}\" points=\"{}\"/>",
                curve.class,
                path(line)
            );
        }
    }
    pointed(&mut svg, found, curves, x);
    for (at, anchor) in [(first, "start"), (f64::midpoint(first, last), "middle"), (last, "end")] {
        put!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            x(at),
            HEIGHT - 6.0,
            brief(at)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// What who points at a threshold reads.
fn pointed(svg: &mut String, found: &Thresholds, curves: &[Curve], x: impl Fn(f64) -> f64) {
    let both = found.reference.points.iter().zip(&found.current.points);
    let width = (WIDTH - LEFT - RIGHT) / found.reference.points.len().max(1) as f64;
    for (before, now) in both {
        let said = curves.iter().map(|curve| {
            let value = |at| (curve.of)(at).map_or("–".to_owned(), short);
            format!("{} {} → {}", curve.name, value(before), value(now))
        });
        put!(
            svg,
            "<rect class=\"hit\" x=\"{:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{:.1}\">\
             <title>threshold {}: {}</title></rect>",
            x(now.threshold) - width / 2.0,
            HEIGHT - 20.0,
            short(now.threshold),
            said.collect::<Vec<_>>().join(", ")
        );
    }
}
