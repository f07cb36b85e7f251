//! Runs Prometheus's own test scripts (`promqltest`) when they are there.
//!
//! Every case passes or stands in [`KNOWN`] with the reason.

mod harness;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness::Runner;

/// Cases that do not pass: file, line of the `eval`, reason. It may only become shorter.
const KNOWN: &[(&str, usize, &str)] = &[(
    "aggregators.test",
    481,
    "the error repeats a text that is not UTF-8; here texts are UTF-8 from the parser on",
)];

fn scripts() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = root.join("../shared/conformance/promqltest");
    found.is_dir().then_some(found)
}

#[test]
fn our_own_script_passes() {
    let commands = script::parse(include_str!("own.test")).expect("a script");
    let mut runner = Runner::default();
    let mut failed = Vec::new();
    for command in &commands {
        if let Err(error) = runner.run(command) {
            failed.push(format!("own.test:{}: {error}", command.line));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn promqltest_scripts_pass() {
    let Some(directory) = scripts() else {
        eprintln!("left out: ../shared/conformance/promqltest is not there");
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .expect("the scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    files.sort();
    let (mut passed, mut failed) = (0, Vec::new());
    let mut known: BTreeMap<(String, usize), &str> =
        KNOWN.iter().map(|&(file, line, reason)| ((file.to_owned(), line), reason)).collect();
    for path in &files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("a script");
        let mut in_file = 0;
        let commands = script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let total = commands.iter().filter(|command| command.is_eval()).count();
        let mut runner = Runner::default();
        for command in &commands {
            match runner.run(command) {
                Ok(false) => {}
                Ok(true) if known.contains_key(&(name.clone(), command.line)) => {
                    failed.push(format!("{name}:{}: passes: take it out of KNOWN", command.line));
                }
                Ok(true) => in_file += 1,
                Err(error) => {
                    if known.remove(&(name.clone(), command.line)).is_none() {
                        failed.push(format!("{name}:{}: {error}", command.line));
                    }
                }
            }
        }
        eprintln!("{name}: {in_file} of {total}");
        passed += in_file;
    }
    eprintln!("promqltest: {passed} pass, {} known not to, {} fail", KNOWN.len(), failed.len());
    for failure in failed.iter().take(400) {
        eprintln!("{failure}");
    }
    assert!(failed.is_empty(), "{} cases fail", failed.len());
}
