//! Any bytes as a remote write request of either version; what is taken is written again and read
//! again as the same.
#![no_main]

use ingest::remote::Version;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    trefoil_fuzz::check_write(Version::V1, body);
    trefoil_fuzz::check_write(Version::V2, body);
});
