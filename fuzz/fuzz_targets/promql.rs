//! Queries, selectors and descriptions of series: nothing panics, and what was read prints as a
//! query that reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promql::parser::{Options, parse, parse_selector};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _selector = parse_selector(text);
    // Repetitions are limited, but what they make takes time.
    if !text.contains('x') {
        let _series = promql::series::parse_series_description(text);
    }
    if let Ok(expr) = parse(text, Options::ALL) {
        let printed = expr.to_string();
        let again = parse(&printed, Options::ALL).expect("printed queries parse");
        assert_eq!(again.to_string(), printed);
        let pretty = promql::prettier::prettify(&expr);
        let again = parse(&pretty, Options::ALL).expect("pretty queries parse");
        assert_eq!(again.to_string(), printed);
    }
});
