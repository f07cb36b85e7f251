//! Every query of the promqltest scripts parses, or fails where the script says that it fails.

use std::fs;
use std::path::Path;

use promql::parser::{Options, parse};

const SCRIPTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/promqltest");

/// The query of an `eval` line.
fn query_of(line: &str) -> Option<(&str, bool)> {
    let (command, rest) = line.split_once(' ')?;
    let fails = command == "eval_fail";
    if !command.starts_with("eval") {
        return None;
    }
    let words = match rest.split_once(' ')?.0 {
        "instant" => 3,
        "range" => 7,
        _ => return None,
    };
    let mut query = rest;
    for _ in 0..words {
        query = query.trim_start().split_once(' ')?.1;
    }
    Some((query.trim(), fails))
}

#[test]
fn every_query_of_the_scripts_is_read() {
    if !Path::new(SCRIPTS).is_dir() {
        eprintln!("left out: no conformance scripts at {SCRIPTS}");
        return;
    }
    let (mut queries, mut refused) = (0, 0);
    for entry in fs::read_dir(SCRIPTS).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some((query, mut fails)) = query_of(line) else { continue };
            queries += 1;
            let below = lines[index + 1..].iter().take_while(|line| query_of(line).is_none());
            fails |= below
                .take_while(|line| !line.trim().is_empty())
                .any(|line| line.trim().starts_with("expect fail"));
            match parse(query, Options::ALL) {
                Ok(expr) => {
                    let printed = expr.to_string();
                    let again = parse(&printed, Options::ALL);
                    let again = again.unwrap_or_else(|error| panic!("{query}: {printed}: {error}"));
                    assert_eq!(again.to_string(), printed, "{query}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(fails, "{}:{}: {query}: {error}", path.display(), index + 1);
                }
            }
        }
    }
    eprintln!("{queries} queries, {refused} of them refused as expected");
    assert!(queries > 1000, "{queries}");
}
