//! `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`.

use std::cmp::Ordering;

use crate::eval::Series;

/// By value, NaN last in either direction.
pub(crate) fn by_value(series: &mut [Series], descending: bool) {
    series.sort_by(|one, other| {
        let (one, other) = (one.column.floats[0], other.column.floats[0]);
        match (one.is_nan(), other.is_nan()) {
            (false, false) => {
                let order = one.partial_cmp(&other).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
            (one, other) => one.cmp(&other),
        }
    });
}

/// By the values of labels, numbers in them by their size; then by all labels.
pub(crate) fn by_labels(series: &mut [Series], names: &[&str], descending: bool) {
    series.sort_by(|one, other| {
        let by_names = names.iter().map(|name| {
            let value = |series: &Series| series.labels.get(name).unwrap_or_default().to_owned();
            natural(&value(one), &value(other))
        });
        let order = by_names
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| one.labels.cmp(&other.labels));
        if descending { order.reverse() } else { order }
    });
}

/// Runs of digits and of other characters.
fn chunks(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|one: char| one.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (chunk, tail) = rest.split_at(end);
        found.push(chunk);
        rest = tail;
    }
    found
}

fn natural(one: &str, other: &str) -> Ordering {
    let (left, right) = (chunks(one), chunks(other));
    for (a, b) in left.iter().zip(&right) {
        let is_number = |text: &str| text.starts_with(|one: char| one.is_ascii_digit());
        let order = if is_number(a) && is_number(b) {
            let digits = |text: &str| text.trim_start_matches('0').to_owned();
            let (x, y) = (digits(a), digits(b));
            x.len().cmp(&y.len()).then(x.cmp(&y))
        } else {
            a.cmp(b)
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}
