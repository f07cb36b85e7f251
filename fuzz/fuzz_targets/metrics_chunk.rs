//! Any bytes as chunks of metrics: decoded or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (count, bytes) = input;
    tsdb::chunk::check_bytes(bytes, usize::from(count) % 20_000);
});
