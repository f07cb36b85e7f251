//! What is known of the model beyond its metrics: decisions, experiments, attributions.

use super::super::{chance, short, words};
use super::{NAME_WIDTH, cut, line};
use crate::monitor::{ByThreshold, Compared, Outcome, Verdict};

/// Features listed; the others carry little.
const FEATURES: usize = 12;
/// Segments of an experiment listed.
const SEGMENTS: usize = 12;

type Paint<'a> = dyn Fn(&str, &str) -> String + 'a;

/// The decisions at the threshold in use and at the best one.
pub(super) fn decisions(out: &mut String, outcome: &Outcome) {
    let Some(performance) = &outcome.performance else { return };
    if let Some(found) = &performance.thresholds {
        line(out, "\ndecisions");
        let rate = |rate: Option<f64>| rate.map_or("–".to_owned(), short);
        let mut side = |name: &str, of: &ByThreshold| {
            let best = of.best_f1.iter().map(|best| ("at the best F1", best));
            for (what, at) in std::iter::once(("as decided", &of.decided)).chain(best) {
                let count = |rows: f64| format!("{rows:.0}");
                let counts = at.confusion;
                let threshold = Some(at.threshold)
                    .filter(|at| at.is_finite())
                    .map_or(String::new(), |threshold| format!("(from {})", short(threshold)));
                let said = format!(
                    "  {name:<10}{what:<15}{threshold:<13} found {} of {}, false alarms {} of {}   precision \
                     {:<8} recall {:<8} F1 {:<8} {}",
                    count(counts.true_positive),
                    count(counts.true_positive + counts.false_negative),
                    count(counts.false_positive),
                    count(counts.false_positive + counts.true_negative),
                    rate(at.precision),
                    rate(at.recall),
                    rate(at.f1),
                    if of.estimated { "expected" } else { "" }
                );
                line(out, said.trim_end());
            }
        };
        side("reference", &found.reference);
        side("current", &found.current);
    }
    if let Some(sentence) = performance.classes.as_ref().and_then(words::decisions::classes) {
        line(out, &format!("\ndecisions\n  {sentence}"));
    }
}

/// The differences of an experiment.
pub(super) fn experiment(out: &mut String, outcome: &Outcome, paint: &Paint<'_>) {
    let Some(trial) = &outcome.experiment else { return };
    line(out, "\nexperiment: the reference is the control, the current rows are the treatment");
    let split = &trial.sample_ratio;
    let state = match split.mismatch {
        true => paint("SPLIT   ", "31;1"),
        false => paint("ok      ", "32"),
    };
    line(out, &format!("  {state}{}", words::experiment::split(split)));
    for metric in &trial.metrics {
        difference(out, &metric.metric, metric, paint);
    }
    for (place, segment) in trial.segments.iter().take(SEGMENTS).enumerate() {
        if place == 0 {
            line(out, "  by segment, at a level for all of them together");
        }
        for metric in &segment.metrics {
            difference(out, &format!("{}: {}", segment.name, metric.metric), metric, paint);
        }
    }
}

fn difference(out: &mut String, name: &str, metric: &Compared, paint: &Paint<'_>) {
    use words::experiment::{amount, mean, range, relative, verdict};
    let state = match metric.verdict {
        Verdict::Higher => paint("HIGHER  ", "32;1"),
        Verdict::Lower => paint("LOWER   ", "31;1"),
        Verdict::Undecided => paint("–       ", "2"),
    };
    let Some(found) = metric.always_valid else {
        line(out, &format!("  {state}{:<NAME_WIDTH$}{}", cut(name), verdict(metric)));
        return;
    };
    let relative = relative(metric).map_or(String::new(), |part| format!(" ({part})"));
    let means =
        format!("{} → {}", mean(metric, metric.control.mean), mean(metric, metric.treatment.mean));
    line(
        out,
        &format!(
            "  {state}{:<NAME_WIDTH$}{means:<20} {}{relative}   whenever you look {}   p {}",
            cut(name),
            amount(metric, found.value),
            range(metric, &found),
            chance(found.probability)
        ),
    );
}

/// What features mean to the model, most important first.
pub(super) fn attribution(out: &mut String, outcome: &Outcome, paint: &Paint<'_>) {
    let Some(found) = &outcome.attribution else { return };
    let verdict = match found.drifted {
        true => paint("the order has changed", "31;1"),
        false => "the order holds".to_owned(),
    };
    line(
        out,
        &format!(
            "\nwhat the model listens to ({} of {} and {} rows): agreement {}, {verdict}",
            found.kind,
            found.rows.0,
            found.rows.1,
            short(found.agreement)
        ),
    );
    for feature in found.features.iter().take(FEATURES) {
        let state = match feature.column_drifted {
            Some(true) => paint("DRIFT   ", "31;1"),
            Some(false) => paint("ok      ", "32"),
            None => "        ".to_owned(),
        };
        line(
            out,
            &format!(
                "  {state}{:<NAME_WIDTH$}{:<20} place {}",
                cut(&feature.name),
                words::attribution::shares(feature),
                words::attribution::place(feature)
            ),
        );
    }
    if let Some(more) = found.features.len().checked_sub(FEATURES).filter(|more| *more > 0) {
        line(out, &format!("          {}", paint(&format!("… {more} more"), "2")));
    }
}
