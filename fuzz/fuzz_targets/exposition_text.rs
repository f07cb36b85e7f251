//! Any bytes as a page in Prometheus's text format: read or refused, and keys stand for labels.
#![no_main]

use ingest::exposition::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &[u8]| trefoil_fuzz::check_page(page, Format::Text));
