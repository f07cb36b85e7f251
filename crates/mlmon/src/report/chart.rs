//! Charts as SVG, drawn by hand: bars of two distributions, a line with its band, a heatmap.

mod interval;
mod threshold;

pub(super) use interval::{intervals, looks};
pub(super) use threshold::{Curve, thresholds};

use super::{brief, chance, counted, short};
use crate::compare::{Bin, ColumnReport, Report};
use crate::estimate::Estimate;
use crate::monitor::{MetricSeries, Multivariate, Part, Stream};
use crate::threshold::Band;

/// Places for bars where there are fewer of them.
const PLACES_LEAST: usize = 8;
/// With more windows than this, cells of a heatmap say their numbers when pointed at only.
const CELLS_WITH_NUMBERS: usize = 14;

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

/// How much of the width the bars take, in percent.
pub(super) fn bars_width(bins: &[Bin]) -> f64 {
    100.0 * bins.len() as f64 / bins.len().max(PLACES_LEAST) as f64
}

/// Both distributions, bar over bar: the reference behind, wide and pale; the current in front.
pub(super) fn bars(bins: &[Bin]) -> String {
    const HEIGHT: f64 = 96.0;
    const STEP: f64 = 26.0;
    let most = bins.iter().map(|bin| bin.reference.max(bin.current)).fold(1e-9, f64::max);
    let width = STEP * (bins.len().max(PLACES_LEAST)) as f64;
    let mut svg = format!(
        "<svg class=\"bars\" viewBox=\"0 0 {width} {}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"distributions\">",
        HEIGHT + 2.0
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
        "<line class=\"axis\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{:.1}\" y2=\"{HEIGHT}\"/></svg>",
        STEP * bins.len() as f64
    );
    svg
}

/// A number over windows.
struct Line<'a> {
    name: &'a str,
    /// What the shaded range is, for who points at it.
    band: Option<(&'a Band, &'static str)>,
    reference: Option<f64>,
    dots: Vec<Dot<'a>>,
}

struct Dot<'a> {
    window: &'a str,
    value: Option<f64>,
    estimate: Option<Estimate>,
    alert: bool,
    said: String,
}

impl Dot<'_> {
    fn height(&self) -> Option<f64> {
        self.value.or(self.estimate.map(|one| one.value)).filter(|value| value.is_finite())
    }
}

/// A metric over windows: realised points, the estimate with its band, the reference's limits.
pub(super) fn metric(metric: &MetricSeries) -> String {
    let dots = metric.points.iter().map(|point| {
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
        let (value, estimate, alert) = (point.realized, point.estimate, point.alert);
        Dot { window: &point.window, value, estimate, alert, said }
    });
    let band = (&metric.band, "where the reference's chunks lie (mean ± 3 standard deviations)");
    let reference = Some(metric.reference).filter(|value| value.is_finite());
    Line { name: metric.name, band: Some(band), reference, dots: dots.collect() }.draw()
}

/// A detector of several columns over windows.
pub(super) fn together(found: &Multivariate) -> String {
    let dots = found.windows.iter().map(|window| {
        let p = window.probability.map_or(String::new(), |p| format!(", p {}", chance(p)));
        Dot {
            window: &window.name,
            value: Some(window.value).filter(|value| value.is_finite()),
            estimate: None,
            alert: window.drifted,
            said: format!("{}{p}", short(window.value)),
        }
    });
    let band = found.band.as_ref().map(|band| (band, "where the reference's chunks lie"));
    Line { name: found.detector, band, reference: None, dots: dots.collect() }.draw()
}

/// The place of a drawing and its scales.
struct Frame {
    low: f64,
    high: f64,
    step: f64,
    start: f64,
}

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 8.0;

impl Frame {
    fn of(line: &Line<'_>) -> Frame {
        let mut values: Vec<f64> = line.reference.into_iter().collect();
        if let Some((band, _)) = line.band {
            values.extend(band.lower.into_iter().chain(band.upper));
        }
        let estimates = || line.dots.iter().filter_map(|dot| dot.estimate);
        values.extend(line.dots.iter().filter_map(Dot::height));
        values.extend(estimates().map(|estimate| estimate.value));
        values.retain(|value| value.is_finite());
        let (low, high) = ends(values.iter().copied());
        // A window of a few rows is unsure beyond measure: its range does not set the scale.
        let room = (high - low).max(1e-9) * 0.6;
        let ranges = estimates().flat_map(|estimate| [estimate.lower, estimate.upper]);
        let near = ranges.map(|bound| bound.clamp(low - room, high + room));
        let (low, high) = ends(values.iter().copied().chain(near));
        let room = ((high - low) * 0.08).max(1e-9);
        let count = line.dots.len();
        let step = (WIDTH - LEFT - RIGHT - 12.0) / count.max(2).saturating_sub(1) as f64;
        let start = LEFT + 6.0 + if count == 1 { step / 2.0 } else { 0.0 };
        Frame { low: low - room, high: high + room, step, start }
    }

    fn x(&self, place: usize) -> f64 {
        self.start + self.step * place as f64
    }

    fn y(&self, value: f64) -> f64 {
        let share = (self.high - value.clamp(self.low, self.high)) / (self.high - self.low);
        6.0 + share * (HEIGHT - 30.0)
    }

    /// Labels of the axis that do not lie on each other.
    fn ticks(&self, reference: Option<f64>) -> Vec<f64> {
        let room = (self.high - self.low) * 0.07;
        let mut ticks: Vec<f64> = reference.into_iter().collect();
        for tick in [self.high - room, self.low + room, f64::midpoint(self.low, self.high)] {
            if ticks.iter().all(|other| (self.y(*other) - self.y(tick)).abs() > 18.0) {
                ticks.push(tick);
            }
        }
        ticks
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), value| (l.min(value), h.max(value)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

impl Line<'_> {
    fn draw(&self) -> String {
        let frame = Frame::of(self);
        let mut svg = format!(
            "<svg class=\"series\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(self.name)
        );
        if let Some((band, meaning)) = self.band {
            let top = frame.y(band.upper.unwrap_or(frame.high));
            let bottom = frame.y(band.lower.unwrap_or(frame.low));
            put!(
                svg,
                "<rect class=\"band\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"><title>{meaning}</title></rect>",
                WIDTH - LEFT - RIGHT,
                bottom - top
            );
        }
        for value in frame.ticks(self.reference) {
            grid_line(&mut svg, frame.y(value), value);
        }
        self.lines(&mut svg, &frame);
        self.dots(&mut svg, &frame);
        self.time(&mut svg, &frame);
        svg.push_str("</svg>");
        svg
    }

    fn lines(&self, svg: &mut String, frame: &Frame) {
        let estimates: Vec<(usize, Estimate)> = self
            .dots
            .iter()
            .enumerate()
            .filter_map(|(place, dot)| Some((place, dot.estimate?)))
            .collect();
        if let [(place, only)] = estimates.as_slice() {
            let (x, top, bottom) = (frame.x(*place), frame.y(only.upper), frame.y(only.lower));
            put!(
                svg,
                "<rect class=\"sure\" x=\"{:.1}\" y=\"{top:.1}\" width=\"16\" \
                 height=\"{:.1}\"/><line class=\"estimate\" x1=\"{:.1}\" y1=\"{at:.1}\" \
                 x2=\"{:.1}\" y2=\"{at:.1}\"/>",
                x - 8.0,
                bottom - top,
                x - 12.0,
                x + 12.0,
                at = frame.y(only.value),
            );
        }
        let upper = estimates.iter().map(|(place, one)| (frame.x(*place), frame.y(one.upper)));
        let lower =
            estimates.iter().rev().map(|(place, one)| (frame.x(*place), frame.y(one.lower)));
        put!(svg, "<polygon class=\"sure\" points=\"{}\"/>", path(upper.chain(lower)));
        let middle = estimates.iter().map(|(place, one)| (frame.x(*place), frame.y(one.value)));
        put!(svg, "<polyline class=\"estimate\" points=\"{}\"/>", path(middle));
        // A gap where no label is known, not a line across it.
        for run in
            self.dots.iter().enumerate().collect::<Vec<_>>().split(|(_, dot)| dot.value.is_none())
        {
            let known =
                run.iter().filter_map(|(place, dot)| Some((frame.x(*place), frame.y(dot.value?))));
            put!(svg, "<polyline class=\"realized\" points=\"{}\"/>", path(known));
        }
    }

    fn dots(&self, svg: &mut String, frame: &Frame) {
        let radius = if self.dots.len() > 40 { 2.5 } else { 3.5 };
        for (place, dot) in self.dots.iter().enumerate() {
            let Some(value) = dot.height() else { continue };
            let class = if dot.alert { "alert" } else { "fine" };
            put!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\">\
                 <title>{}: {}</title></circle>",
                frame.x(place),
                frame.y(value),
                escape(dot.window),
                escape(&dot.said)
            );
        }
    }

    fn time(&self, svg: &mut String, frame: &Frame) {
        let (Some(first), Some(last)) = (self.dots.first(), self.dots.last()) else { return };
        let y = HEIGHT - 6.0;
        if self.dots.len() == 1 {
            let (x, name) = (frame.x(0), escape(first.window));
            put!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{name}</text>");
            return;
        }
        put!(svg, "<text x=\"{LEFT}\" y=\"{y:.1}\">{}</text>", escape(first.window));
        put!(
            svg,
            "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            escape(last.window)
        );
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

/// The rows of a stream from left to right, with a stroke at each alarm.
pub(super) fn strip(stream: &Stream) -> String {
    const LENGTH: f64 = 300.0;
    let mut svg = format!(
        "<svg class=\"strip\" viewBox=\"0 0 {LENGTH} 14\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"alarms\"><rect class=\"ground\" width=\"{LENGTH}\" height=\"14\"/>"
    );
    for alarm in &stream.alarms {
        let at = alarm.row as f64 / stream.rows.max(1) as f64 * (LENGTH - 2.0);
        let when = alarm.at.as_ref().map_or(String::new(), |at| format!(", {}", escape(at)));
        put!(
            svg,
            "<rect class=\"stroke\" x=\"{at:.1}\" width=\"2\" height=\"14\"><title>row {}{when}\
             </title></rect>",
            counted(alarm.row as u64)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Columns against windows or segments; a cell is darker the larger the effect, framed where it alarms.
pub(super) fn heatmap(parts: &[Part], overall: &Report) -> String {
    let dense = parts.len() > CELLS_WITH_NUMBERS;
    let mut html = format!(
        "<div class=\"scroll\"><table class=\"heat{}\"><thead><tr><th></th>",
        if dense { " dense" } else { "" }
    );
    for part in parts {
        put!(html, "<th scope=\"col\"><span>{}</span></th>", escape(&part.name));
    }
    html.push_str("</tr></thead><tbody>");
    let of = |part: &'_ Part, name: &str| -> Option<usize> {
        part.report.columns.iter().position(|other| other.name == name)
    };
    for column in &overall.columns {
        let Some(first) = column.measures.first() else { continue };
        let found: Vec<Option<&ColumnReport>> = parts
            .iter()
            .map(|part| of(part, &column.name).map(|place| &part.report.columns[place]))
            .map(|found| found.filter(|one| !one.measures.is_empty()))
            .collect();
        if found.iter().all(Option::is_none) {
            continue;
        }
        put!(html, "<tr><th scope=\"row\">{}</th>", escape(&column.name));
        for (part, found) in parts.iter().zip(found) {
            html.push_str(&match found {
                Some(found) => cell(part, found, first.detector, dense),
                None => "<td title=\"not compared: too few values\"></td>".to_owned(),
            });
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// The same detector in all cells of a row, so that they can be compared.
fn cell(part: &Part, found: &ColumnReport, detector: &str, dense: bool) -> String {
    let one = found.measures.iter().find(|one| one.detector == detector);
    let Some(one) = one.or(found.measures.first()) else { return "<td></td>".to_owned() };
    let strength = (one.measure.effect / 0.5).clamp(0.0, 1.0).sqrt();
    let alarms: Vec<&str> = found
        .measures
        .iter()
        .filter(|other| other.verdict.drifted)
        .map(|other| other.detector)
        .collect();
    let alarms = match alarms.is_empty() {
        true => String::new(),
        false => format!("; alarm: {}", alarms.join(", ")),
    };
    format!(
        "<td class=\"{}\" style=\"--s:{strength:.2}\" title=\"{} in {}: {} {}, p {}, {} rows{alarms}\">{}</td>",
        if found.drifted { "alarm" } else { "" },
        escape(&found.name),
        escape(&part.name),
        one.detector,
        short(one.measure.value),
        chance(one.measure.probability),
        counted(part.report.rows.1),
        if dense { String::new() } else { brief(one.measure.value) },
    )
}

/// A line across the plot at this height, with the value that it stands for.
fn grid_line(svg: &mut String, at: f64, value: f64) {
    put!(
        svg,
        "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - RIGHT,
        LEFT - 6.0,
        at + 4.0,
        brief(value)
    );
}
