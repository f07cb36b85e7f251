//! Any bytes as OTLP metrics, translated in each way.
#![no_main]

use ingest::otlp::metrics::{DeltaPolicy, Strategy, Translation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for (strategy, deltas) in [
        (Strategy::UnderscoreEscapingWithSuffixes, DeltaPolicy::Cumulate),
        (Strategy::NoUtf8EscapingWithSuffixes, DeltaPolicy::Store),
    ] {
        let custom_buckets = deltas == DeltaPolicy::Store;
        let translation = Translation {
            strategy,
            deltas,
            custom_buckets,
            promotes_scope: true,
            ..Default::default()
        };
        trefoil_fuzz::check_metrics(&translation, body);
    }
});
