//! What a decoder refused, by reason, with one example each.

use crate::metric_sink::Rejection;

/// Why samples are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub(crate) enum Invalid {
    /// No `__name__`, or an empty label name.
    Name,
    /// A label that comes twice.
    LabelTwice,
    /// A label that is not UTF-8.
    Text,
    LabelCount,
    LabelNameLength,
    LabelValueLength,
    SeriesCount,
    /// A native histogram that contradicts itself.
    Histogram,
    /// A time too far in the future.
    Future,
    /// Too many characters in an exemplar: counted, and not told, as Prometheus does it.
    Exemplar,
    /// A reference to a symbol that is not there.
    Symbol,
    /// Delta temporality, when it is not converted.
    Delta,
    /// A data point that cannot be converted.
    Point,
    /// More streams than are remembered.
    Streams,
}

impl Invalid {
    const COUNT: usize = 14;

    const ALL: [Invalid; Invalid::COUNT] = [
        Invalid::Name,
        Invalid::LabelTwice,
        Invalid::Text,
        Invalid::LabelCount,
        Invalid::LabelNameLength,
        Invalid::LabelValueLength,
        Invalid::SeriesCount,
        Invalid::Histogram,
        Invalid::Future,
        Invalid::Exemplar,
        Invalid::Symbol,
        Invalid::Delta,
        Invalid::Point,
        Invalid::Streams,
    ];

    /// The word for metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Invalid::Name => "name",
            Invalid::LabelTwice => "label_twice",
            Invalid::Text => "label_text",
            Invalid::LabelCount => "labels_per_series",
            Invalid::LabelNameLength => "label_name_bytes",
            Invalid::LabelValueLength => "label_value_bytes",
            Invalid::SeriesCount => "series_per_body",
            Invalid::Histogram => "histogram",
            Invalid::Future => "future",
            Invalid::Exemplar => "exemplar_chars",
            Invalid::Symbol => "symbol",
            Invalid::Delta => "delta",
            Invalid::Point => "point",
            Invalid::Streams => "streams",
        }
    }

    /// As Prometheus says it, where it does.
    const fn sentence(self) -> &'static str {
        match self {
            Invalid::Name => "invalid metric name or labels",
            Invalid::LabelTwice => "invalid labels, a label comes twice",
            Invalid::Text => "invalid labels, not UTF-8",
            Invalid::LabelCount => "label_limit exceeded",
            Invalid::LabelNameLength => "label_name_length_limit exceeded",
            Invalid::LabelValueLength => "label_value_length_limit exceeded",
            Invalid::SeriesCount => "too many series in one request, send smaller ones",
            Invalid::Histogram => "invalid native histogram",
            Invalid::Future => "out of bounds",
            Invalid::Exemplar => "exemplar labels are too long",
            Invalid::Symbol => "a reference to a symbol that does not exist",
            Invalid::Delta => "invalid temporality and type combination",
            Invalid::Point => "invalid data point",
            Invalid::Streams => "too many delta streams",
        }
    }
}

/// Counts by reason.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    counts: [usize; Invalid::COUNT],
    examples: Vec<(Invalid, String)>,
}

impl Rejections {
    /// Counts `count` samples; `example` is asked for once a reason.
    #[cold]
    pub(crate) fn add(&mut self, reason: Invalid, count: usize, example: impl FnOnce() -> String) {
        let counter = &mut self.counts[reason as usize];
        if *counter == 0 {
            const EXAMPLE: usize = 400;
            let mut text = example();
            if text.len() > EXAMPLE {
                let end = text.floor_char_boundary(EXAMPLE);
                text.truncate(end);
                text.push('…');
            }
            self.examples.push((reason, text));
        }
        // A series without samples is one thing that was refused too.
        *counter += count.max(1);
    }

    pub(crate) fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Counts them in the metrics and gives them for the answer.
    pub(crate) fn finish(self, protocol: &'static str) -> Vec<Rejection> {
        let mut rejected = Vec::new();
        for reason in Invalid::ALL {
            let count = self.counts[reason as usize];
            if count == 0 {
                continue;
            }
            metrics::counter!(
                "trefoil_ingest_metrics_rejected_samples_total",
                "protocol" => protocol, "reason" => reason.as_str(),
            )
            .increment(count as u64);
            // The samples that they stood beside were taken.
            if reason == Invalid::Exemplar {
                continue;
            }
            let example = self.examples.iter().find(|(found, _)| *found == reason);
            let example = example.map_or_else(String::new, |(_, example)| example.clone());
            rejected.push(Rejection { reason: reason.sentence().to_owned(), count, example });
        }
        rejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_in_the_order_of_their_numbers() {
        for (index, reason) in Invalid::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
    }
}
