//! Everything that a monitor can compute, by heading, with its documentation: the comment that its file
//! opens with, and nowhere else.

use crate::{detector, documentation, embedding, monitor, multivariate, quality, sequential};

/// What is listed under one heading.
#[derive(Debug, Clone)]
pub struct Family {
    /// The heading.
    pub title: &'static str,
    /// Whether monitors take what is below it by name, as detectors.
    pub detectors: bool,
    /// What is below it.
    pub entries: Vec<Entry>,
}

/// Something that can be computed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name; of a detector, that in configuration.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Formula, source, when it is useful and when not.
    pub documentation: String,
}

impl Entry {
    fn of(name: &'static str, text: &'static str) -> Entry {
        Entry { name, title: documentation::title(text), documentation: documentation::text(text) }
    }
}

/// All of it: detectors first.
pub fn families() -> Vec<Family> {
    let detectors = |title, entries| Family { title, detectors: true, entries };
    let other = |title, entries| Family { title, detectors: false, entries };
    let alone = |name, text| vec![Entry::of(name, text)];
    vec![
        detectors("column by column", columns()),
        detectors("embeddings", vectors()),
        detectors("columns together", together()),
        detectors("row by row", streams()),
        other("data quality", alone("quality", include_str!("quality.rs"))),
        other("performance", performance()),
        other("performance without labels", estimates()),
        other("fairness", alone("fairness", include_str!("performance/fairness.rs"))),
        other("experiments", alone("experiment", include_str!("experiment.rs"))),
        other("attribution", alone("attribution", include_str!("attribution.rs"))),
    ]
}

fn columns() -> Vec<Entry> {
    let entry = |one: &&'static detector::Detector| Entry {
        name: one.name,
        title: one.title,
        documentation: one.documentation(),
    };
    detector::ALL.iter().map(entry).collect()
}

fn vectors() -> Vec<Entry> {
    let entry = |one: &&'static embedding::Detector| Entry {
        name: one.name,
        title: one.title,
        documentation: one.documentation(),
    };
    embedding::ALL.iter().map(entry).collect()
}

fn together() -> Vec<Entry> {
    let entry = |one: &'static multivariate::Entry| Entry {
        name: one.name,
        title: one.title(),
        documentation: one.documentation(),
    };
    let correlation = Entry {
        name: monitor::CORRELATION,
        title: "Change of correlations",
        documentation: quality::CORRELATION_TEXT.to_owned(),
    };
    multivariate::ALL.iter().map(entry).chain([correlation]).collect()
}

fn streams() -> Vec<Entry> {
    let entry = |one: &'static sequential::Entry| Entry {
        name: one.name,
        title: one.title(),
        documentation: one.documentation(),
    };
    sequential::ALL.iter().map(entry).collect()
}

fn performance() -> Vec<Entry> {
    vec![
        Entry::of("two_classes", include_str!("performance/binary.rs")),
        Entry::of("thresholds", include_str!("performance/thresholds.rs")),
        Entry::of("more_classes", include_str!("performance/multiclass.rs")),
        Entry::of("numbers", include_str!("performance/regression.rs")),
        Entry::of("quantile", include_str!("performance/quantile.rs")),
        Entry::of("ranking", include_str!("performance/ranking.rs")),
    ]
}

fn estimates() -> Vec<Entry> {
    vec![
        Entry::of("cbpe", include_str!("estimate/cbpe.rs")),
        Entry::of("dle", include_str!("estimate/dle.rs")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_says_what_it_is_useful_for_and_where_it_comes_from() {
        let all = families();
        for entry in all.iter().flat_map(|family| &family.entries) {
            let text = &entry.documentation;
            assert!(text.contains("Useful:") && text.contains("Source:"), "{}: {text}", entry.name);
            assert!(!entry.title.is_empty() && entry.title.len() < 80, "{}", entry.title);
        }
        let names: Vec<&str> =
            all.iter().flat_map(|f| &f.entries).map(|entry| entry.name).collect();
        for name in ["psi", "mmd", "adwin", "quality", "ranking", "cbpe", "fairness", "experiment"]
        {
            assert!(names.contains(&name), "{name}");
        }
    }

    #[test]
    fn every_metric_is_explained() {
        let performance = performance().into_iter().chain(estimates());
        let text: String = performance.map(|entry| entry.documentation).collect();
        for name in [
            "auroc",
            "f1",
            "precision",
            "recall",
            "accuracy",
            "specificity",
            "mcc",
            "value",
            "brier",
            "average_precision",
            "log_loss",
            "calibration_error",
            "mae",
            "rmse",
            "mape",
            "smape",
            "rmsle",
            "r2",
            "quantile_loss",
            "coverage",
            "d2_pinball",
            "ndcg",
            "map",
            "mrr",
            "hit_rate",
            "answerable",
        ] {
            assert!(text.contains(name), "{name}");
        }
    }
}
