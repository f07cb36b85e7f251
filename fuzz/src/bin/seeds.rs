//! Makes the protobuf seeds from the JSON ones: `cargo run --bin seeds` in this directory.

use std::fs;

use ingest::{Format, otlp};

fn main() {
    for (name, format) in [("traces", Format::OtlpTraces), ("logs", Format::OtlpLogs)] {
        let json = fs::read(format!("corpus/otlp_json/seed-{name}.json")).expect("the JSON seed");
        let body = otlp::transcode_json(format, &json).expect("valid JSON");
        fs::write(format!("corpus/otlp_{name}/seed-{name}"), body).expect("writable");
    }
}
