//! Any bytes as an OTLP JSON request; what is transcoded must decode.
#![no_main]

use ingest::{Format, otlp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    for format in [Format::OtlpTraces, Format::OtlpLogs] {
        if let Ok(body) = otlp::transcode_json(format, json) {
            trefoil_fuzz::check(format, &body);
            let limits = ingest::Limits::default();
            let decoded = otlp::decode(format, &model::Tenant::default(), 1, &limits, &body);
            assert!(decoded.is_ok(), "{decoded:?}");
        }
    }
});
