//! Any bytes as a column's profile: an error or a profile, which is written as it was read, merges
//! with itself and gives numbers or errors to every detector.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlmon::detector;
use mlmon::pair::Pair;
use mlmon::profile::Profile;

fuzz_target!(|bytes: &[u8]| {
    let Ok(profile) = Profile::decode(bytes) else { return };
    let again = Profile::decode(&profile.encode()).expect("what was written can be read");
    assert_eq!(again.encode(), profile.encode());
    // Counters that add up to more than there can be rows are refused above.
    let Ok(pair) = Pair::of(&profile, &again) else { return };
    for detector in detector::ALL {
        drop((detector.measure)(&pair));
    }
    let mut sum = profile.clone();
    drop(sum.merge(&again));
});
