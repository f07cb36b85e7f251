//! `deriv`, `predict_linear`, `double_exponential_smoothing`.

use super::range::{About, Window};
use crate::eval::{Cell, seconds};
use crate::number::Kahan;

/// The line through the samples by least squares: slope and the value at `at`.
fn regression(window: &Window<'_>, at: i64) -> (f64, f64) {
    let first = window.values[0];
    #[expect(clippy::float_cmp, reason = "a constant series has no slope at all")]
    if window.values.iter().all(|&value| value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut x_sum, mut y_sum) = (Kahan::default(), Kahan::default());
    let (mut xy_sum, mut xx_sum) = (Kahan::default(), Kahan::default());
    for (&time, &y) in window.times.iter().zip(window.values) {
        let x = seconds(time.saturating_sub(at));
        x_sum.add(x);
        y_sum.add(y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of samples in memory")]
    let count = window.values.len() as f64;
    let [x, y, xy, xx] = [x_sum, y_sum, xy_sum, xx_sum].map(|total| total.sum + total.rest);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

/// Whether there are two floats; says that histograms were left out.
fn enough(window: &Window<'_>, about: &mut About<'_>) -> bool {
    if window.is_mixed() {
        about.notes.ignored_in_mixed_range(about.name_only(), about.position);
    }
    window.values.len() >= 2
}

pub(crate) fn deriv(window: &Window<'_>, about: &mut About<'_>) -> Option<Cell> {
    enough(window, about).then(|| Cell::Float(regression(window, window.times[0]).0))
}

pub(crate) fn predict(window: &Window<'_>, after: f64, about: &mut About<'_>) -> Option<Cell> {
    enough(window, about).then(|| {
        let (slope, value) = regression(window, window.now);
        Cell::Float(slope * after + value)
    })
}

/// As `%f` prints it.
fn six_digits(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { crate::number::format_short(value) }
}

/// Holt's method with factors of smoothing and of trend.
pub(crate) fn smoothing(
    window: &Window<'_>,
    (smoothing, trend): (f64, f64),
    about: &mut About<'_>,
) -> Result<Option<Cell>, String> {
    if smoothing <= 0.0 || smoothing >= 1.0 {
        let got = six_digits(smoothing);
        return Err(format!("invalid smoothing factor. Expected: 0 < sf < 1, got: {got}"));
    }
    if trend <= 0.0 || trend >= 1.0 {
        let got = six_digits(trend);
        return Err(format!("invalid trend factor. Expected: 0 < tf < 1, got: {got}"));
    }
    if !enough(window, about) {
        return Ok(None);
    }
    let (mut before, mut level) = (0.0, window.values[0]);
    let mut slope = window.values[1] - window.values[0];
    for (at, &value) in window.values.iter().enumerate().skip(1) {
        if at > 1 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        (before, level) = (level, next);
    }
    Ok(Some(Cell::Float(level)))
}
