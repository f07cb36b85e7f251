//! Any bytes as delimited messages of `io.prometheus.client`.
#![no_main]

use ingest::exposition::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &[u8]| trefoil_fuzz::check_page(page, Format::Protobuf));
