//! The increase of native histograms.

use model::metric::{Histogram, ResetHint};

use super::range::About;
use super::rate::{starts_anew, starts_overlap};
use crate::annotations::Operation;
use crate::histogram::{Added, Incompatible, Open, is_reset};
use crate::source::HistogramPoint;

fn noted(added: Result<Added, Incompatible>, what: Operation, about: &mut About<'_>) -> bool {
    match added {
        Ok(added) => {
            if added.bounds_differ {
                about.notes.bounds_reconciled(what, about.position);
            }
            true
        }
        Err(Incompatible) => {
            about.notes.mixed_schemas(about.name_only(), about.position);
            false
        }
    }
}

/// Adds and says what was noticed; false when they do not fit together.
pub(crate) fn add_noted(to: &mut Open, what: &Histogram, about: &mut About<'_>) -> bool {
    noted(to.add(what), Operation::Addition, about)
}

/// Subtracts and says what was noticed; false when they do not fit together.
pub(crate) fn subtract_noted(from: &mut Open, what: &Histogram, about: &mut About<'_>) -> bool {
    noted(from.subtract(what), Operation::Subtraction, about)
}

/// The increase from the first to the last of at least two samples.
pub(crate) fn histogram_increase(
    points: &[HistogramPoint],
    counter: bool,
    use_starts: bool,
    about: &mut About<'_>,
) -> Option<Open> {
    let (first, last) = (&*points.first()?.histogram, &*points.last()?.histogram);
    let gauge = |one: &Histogram| one.reset_hint == ResetHint::Gauge;
    if counter && (gauge(first) || gauge(last)) {
        about.notes.not_a_counter(about.name_only(), about.position);
    }
    let resets_at = |at: usize| {
        let (before, now) = (&points[at - 1], &points[at]);
        use_starts && starts_anew((before.start, before.timestamp), (now.start, now.timestamp))
    };
    // A reset right after the first sample: that sample does not matter.
    let nothing;
    let second = &*points.get(1)?.histogram;
    let ignored = counter && (resets_at(1) || is_reset(second, first));
    let first = if ignored {
        nothing = Open::empty_like(second).close();
        &nothing
    } else {
        first
    };
    let custom = first.has_custom_buckets();
    let mixed = last.has_custom_buckets() != custom
        || (counter && points[1..].iter().any(|one| one.histogram.has_custom_buckets() != custom));
    if mixed {
        about.notes.mixed_schemas(about.name_only(), about.position);
        return None;
    }
    let mut schema = last.schema.min(first.schema);
    if counter {
        for point in &points[1..points.len() - 1] {
            if gauge(&point.histogram) {
                about.notes.not_a_counter(about.name_only(), about.position);
            }
            schema = schema.min(point.histogram.schema);
        }
    }
    let mut increase = Open::new(last);
    increase.reduce(schema);
    if !subtract_noted(&mut increase, first, about) {
        return None;
    }
    if counter {
        let mut before = first;
        let mut overlap = false;
        for at in 1..points.len() {
            let (previous, point) = (&points[at - 1], &points[at]);
            overlap |=
                use_starts && starts_overlap((previous.start, previous.timestamp), point.start);
            let reset = resets_at(at) || is_reset(&point.histogram, before);
            if reset && !add_noted(&mut increase, before, about) {
                return None;
            }
            before = &point.histogram;
        }
        if overlap {
            about.notes.start_time_overlap(about.name_only(), about.position);
        }
    } else if !gauge(&points[0].histogram) || !gauge(last) {
        about.notes.not_a_gauge(about.name_only(), about.position);
    }
    increase.set_hint(ResetHint::Gauge);
    Some(increase)
}
