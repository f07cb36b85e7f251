//! Any bytes as an OTLP protobuf request of logs.
#![no_main]

use bytes::Bytes;
use ingest::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    trefoil_fuzz::check(Format::OtlpLogs, &Bytes::copy_from_slice(bytes));
});
