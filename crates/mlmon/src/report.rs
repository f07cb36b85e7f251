//! An outcome for people: a table for the terminal, a page for the browser.

/// Appends formatted text.
macro_rules! put {
    ($out:expr, $($arguments:tt)*) => { $out.push_str(&format!($($arguments)*)) };
}

mod chart;
mod html;
mod text;
mod words;

pub use html::page;
pub use text::table;

use crate::compare::{ColumnReport, Measured};
use crate::detector::Rule;

/// The measure that a column is judged by in one line: a drifted one before others.
fn leading(column: &ColumnReport) -> Option<&Measured> {
    column.measures.iter().find(|one| one.verdict.drifted).or(column.measures.first())
}

/// A number with four significant digits.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".to_owned()
    } else if !number.is_finite() {
        number.to_string()
    } else if (0.001..10_000.0).contains(&size) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=6")]
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{number:.digits$}")
    } else if (10_000.0..1e9).contains(&size) {
        format!("{number:.0}")
    } else {
        format!("{number:.2e}")
    }
}

/// A number with few digits, for cells and axes.
fn brief(number: f64) -> String {
    let size = number.abs();
    // Four digits where the third would hide what changed: shares near 1.
    let digits = match size {
        _ if (0.9..1.0).contains(&size) => 4,
        _ if size < 10.0 => 3,
        _ if size < 1_000.0 => 1,
        _ => 0,
    };
    match size {
        _ if number == 0.0 => "0".to_owned(),
        _ if !(0.000_5..1e7).contains(&size) => format!("{number:.0e}"),
        _ => format!("{number:.digits$}"),
    }
}

fn rule(rule: Rule) -> String {
    match rule {
        Rule::ValueAtLeast(least) => format!("value ≥ {}", short(least)),
        Rule::ProbabilityBelow(level) => format!("p < {}", short(level)),
    }
}

/// A probability; one that is too small for a float is not nought.
fn chance(probability: f64) -> String {
    if probability < 1e-300 { "< 1e-300".to_owned() } else { short(probability) }
}

/// A number of things with separators: 50,000.
fn counted(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
