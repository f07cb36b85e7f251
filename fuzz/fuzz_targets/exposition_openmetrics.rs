//! Any bytes as an OpenMetrics page; what the strict parser takes the other one takes too.
#![no_main]

use ingest::exposition::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &[u8]| trefoil_fuzz::check_page(page, Format::OpenMetrics));
