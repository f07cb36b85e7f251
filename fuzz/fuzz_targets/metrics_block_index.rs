//! Any bytes as parts of a block's index: decoded or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tsdb::block::check_index(bytes));
