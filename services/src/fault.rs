//! Faults on request, to see what they look like: header `X-Fault`, a comma-separated list.

use std::time::Duration;

use axum::http::HeaderMap;

/// The header.
pub(crate) const X_FAULT: &str = "x-fault";

/// What shall go wrong with this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The model takes 600 ms.
    SlowModel,
    /// The model fails: 500.
    ModelError,
    /// The feature store takes 300 ms.
    SlowFeatureStore,
    /// The feature store does not answer: the request goes on with defaults.
    FeatureStoreDown,
    /// Preprocessing takes 550 ms.
    SlowPreprocessing,
    /// Preprocessing does not answer in time: 503.
    PreprocessingTimeout,
}

impl Fault {
    /// Every fault and its word in the header.
    pub(crate) const ALL: [(Fault, &str); 6] = [
        (Fault::SlowModel, "slow-model"),
        (Fault::ModelError, "model-error"),
        (Fault::SlowFeatureStore, "slow-feature-store"),
        (Fault::FeatureStoreDown, "feature-store-down"),
        (Fault::SlowPreprocessing, "slow-preprocessing"),
        (Fault::PreprocessingTimeout, "preprocessing-timeout"),
    ];

    /// Its word in the header.
    pub(crate) fn as_str(self) -> &'static str {
        Fault::ALL.iter().find(|(fault, _)| *fault == self).map_or("", |(_, word)| word)
    }
}

/// The faults of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Reads the header; none are taken where they are not allowed. Unknown words are ignored.
    pub(crate) fn of(headers: &HeaderMap, allowed: bool) -> Faults {
        if !allowed {
            return Faults::default();
        }
        let text = headers.get(X_FAULT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known =
            |word: &str| Fault::ALL.iter().find(|(_, w)| *w == word).map(|(fault, _)| *fault);
        Faults(
            text.split(',').filter_map(|word| known(word.trim())).take(Fault::ALL.len()).collect(),
        )
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// As the header's value, to be sent on.
    pub(crate) fn header(&self) -> Option<String> {
        let words: Vec<&str> = self.0.iter().map(|fault| fault.as_str()).collect();
        (!words.is_empty()).then(|| words.join(","))
    }

    /// Waits for `duration` if the request has `fault`.
    pub(crate) async fn delay(&self, fault: Fault, duration: Duration) {
        if self.has(fault) {
            tokio::time::sleep(duration).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_where_they_are_allowed() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FAULT, "slow-model, nonsense,model-error".parse().unwrap());
        let faults = Faults::of(&headers, true);
        assert_eq!(faults, Faults(vec![Fault::SlowModel, Fault::ModelError]));
        assert_eq!(faults.header().as_deref(), Some("slow-model,model-error"));
        assert_eq!(Faults::of(&headers, false), Faults::default());
    }
}
