//! Tidiness as tests: what the compiler does not see and a reviewer should not have to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::root;

/// Who may depend on whom among our own crates. What is not here depends on none of them.
const LAYERS: [(&str, &[&str]); 12] = [
    (
        "crates/trefoil",
        &[
            "alert", "api", "ingest", "mlmon", "model", "promql", "query", "sdk", "services",
            "stdx", "storage", "tsdb", "web",
        ],
    ),
    ("crates/api", &["alert", "model", "promql", "query", "stdx", "web"]),
    ("crates/alert", &["model", "stdx"]),
    ("crates/mlmon", &["stdx"]),
    ("crates/promql", &["model", "stdx"]),
    ("crates/tsdb", &["model", "stdx"]),
    ("crates/ingest", &["model", "stdx"]),
    ("crates/query", &["model", "stdx"]),
    ("crates/storage", &["model", "stdx"]),
    ("services", &["sdk", "stdx"]),
    ("bench", &["sdk", "stdx", "tsdb"]),
    ("crates/e2e", &["stdx"]),
];
const OURS: [&str; 14] = [
    "alert", "api", "ingest", "mlmon", "model", "promql", "query", "sdk", "services", "stdx",
    "storage", "tsdb", "web", "trefoil",
];

/// Longer functions hide a noun that is missing. The number may only fall.
const FUNCTION_LINES_MAX: usize = 120;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The directories of our packages.
fn packages() -> Vec<PathBuf> {
    let root = root();
    let crates = std::fs::read_dir(root.join("crates")).expect("the crates");
    let crates = crates.map(|entry| entry.expect("an entry").path());
    let all = crates.chain([root.join("services"), root.join("bench")]);
    let mut all: Vec<_> = all.filter(|path| path.join("Cargo.toml").is_file()).collect();
    all.sort();
    all
}

fn files_below(directory: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "node_modules" | "corpus" | "artifacts") {
                files_below(&path, extension, into);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for package in packages() {
        files_below(&package, "rs", &mut files);
    }
    files
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', '=', ' ']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn dependencies_point_one_way() {
    for package in packages() {
        let place = package.strip_prefix(root()).expect("below the root").display().to_string();
        let allowed = LAYERS.iter().find(|(name, _)| *name == place).map_or(&[][..], |(_, to)| to);
        for name in dependencies(&read(&package.join("Cargo.toml"))) {
            let ours = OURS.contains(&name.as_str());
            assert!(!ours || allowed.contains(&name.as_str()), "{place} must not know {name}");
        }
    }
}

#[test]
fn the_engine_is_named_by_query_and_storage_alone() {
    for package in packages() {
        let place = package.file_name().expect("a name").to_string_lossy().into_owned();
        let dependencies = dependencies(&read(&package.join("Cargo.toml")));
        let knows = |name: &str| dependencies.contains(name);
        assert!(!knows("deltalake") || place == "storage", "{place} names deltalake");
        let may = matches!(place.as_str(), "storage" | "query");
        assert!(!knows("datafusion") || may, "{place} names datafusion");
    }
}

#[test]
fn every_crate_has_the_workspace_lints() {
    for package in packages() {
        let manifest = read(&package.join("Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{}", package.display());
    }
}

#[test]
fn every_source_file_is_part_of_its_crate() {
    for file in rust_files() {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let directory = file.parent().expect("a directory");
        let package = file.ancestors().find(|path| path.join("Cargo.toml").is_file());
        let package = package.expect("it is in a package");
        let inside = file.strip_prefix(package).expect("it is in the package");
        let roots = ["src/main.rs", "src/lib.rs", "build.rs"];
        let top = inside.parent().is_some_and(|parent| {
            ["tests", "benches", "examples", "src/bin", "fuzz_targets"]
                .iter()
                .any(|target| parent == Path::new(target))
        });
        if top || roots.iter().any(|root| inside == Path::new(root)) || name == "main" {
            continue;
        }
        // `a/b.rs` is declared in `a.rs`, or in the root of its target beside it; what tests share
        // is `tests/support/mod.rs`, so that it is no test of its own.
        let (name, directory) = match name.as_str() {
            "mod" => (
                directory.file_name().expect("a name").to_string_lossy().into_owned(),
                directory.parent().expect("a directory"),
            ),
            _ => (name, directory),
        };
        let mut beside = Vec::new();
        if directory.ends_with("tests") {
            files_below(directory, "rs", &mut beside);
        }
        let parents = [
            directory.with_extension("rs"),
            directory.join("lib.rs"),
            directory.join("main.rs"),
            directory.join("mod.rs"),
        ];
        let declared = parents
            .iter()
            .chain(&beside)
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .any(|source| {
                source.lines().any(|line| {
                    let line = line.trim();
                    // A registry of modules declares each in a line of its own.
                    let entry = line.trim_end_matches(',').split(':').next();
                    let in_registry = source.contains("mod $") && entry == Some(&name);
                    line.ends_with(&format!("mod {name};")) || in_registry
                })
            });
        assert!(declared, "{} is compiled by nobody", file.display());
    }
}

#[test]
fn nothing_is_left_to_be_done_in_the_code() {
    // Split, so that this file does not find itself.
    let words =
        [concat!("FIX", "ME"), concat!("XX", "X"), concat!("todo", "!("), concat!("HA", "CK")];
    let mut files = rust_files();
    files_below(&root().join("web/src"), "ts", &mut files);
    files_below(&root().join("web/src"), "tsx", &mut files);
    for file in files {
        let text = read(&file);
        for word in words {
            assert!(!text.contains(word), "{}: {word}", file.display());
        }
    }
}

#[test]
fn paths_in_the_documents_exist() {
    let root = root();
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    documents.push(root.join("ARCHITECTURE.md"));
    files_below(&root.join("docs"), "md", &mut documents);
    for document in documents.into_iter().filter(|path| path.is_file()) {
        let text = read(&document);
        // Every second piece between backquotes is code.
        for code in text.split('`').skip(1).step_by(2) {
            let path = code.trim_end_matches('/');
            let ours = ["crates/", "services/", "web/", "bench/", "docs/", "scripts/", "fuzz/"];
            let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if plain && ours.iter().any(|start| path.starts_with(start)) && path != "web/dist" {
                let there = root.join(path).try_exists().expect("the repository");
                assert!(there, "{} names {path}, which is not there", document.display());
            }
        }
    }
}

#[test]
fn functions_fit_a_screen_or_two() {
    let mut long = Vec::new();
    // In files of tests, what is expected stands in the function and may be long.
    let code = rust_files().into_iter().filter(|file| !file.ends_with("tests.rs"));
    for file in code {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let words: Vec<&str> = code.split_whitespace().take(5).collect();
            let function = words.iter().position(|word| *word == "fn").is_some_and(|at| {
                words.iter().take(at).all(|word| {
                    word.starts_with("pub") || matches!(*word, "async" | "const" | "unsafe")
                })
            });
            if !function || code.ends_with(';') {
                continue;
            }
            // rustfmt puts a function's last brace under its first letter.
            let close = format!("{}}}", line.strip_suffix(code).unwrap_or_default());
            let length = lines.iter().skip(start).position(|line| *line == close).unwrap_or(0);
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{}: {length} lines", file.display(), start + 1));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// `make run` builds without the tests' dependencies, `make test` with them. If those switched on
/// more features of a crate that both use, it and all above it would be compiled twice.
#[test]
fn tests_switch_on_no_feature_that_the_binary_lacks() {
    let features = |edges: &str| -> BTreeMap<String, String> {
        let output = Command::new("cargo")
            .args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none"])
            .args(["--edges", edges, "--format", "{p}\t{f}"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut all = BTreeMap::<String, BTreeSet<String>>::new();
        for line in text.lines() {
            let line = line.trim_end_matches(" (*)");
            let (package, features) = line.split_once('\t').unwrap_or((line, ""));
            all.entry(package.to_owned()).or_default().insert(features.to_owned());
        }
        let sets = all.into_iter();
        sets.map(|(name, sets)| (name, sets.into_iter().collect::<Vec<_>>().join(" | "))).collect()
    };
    let with = features("normal,build,dev");
    let mut differ = Vec::new();
    for (package, without) in features("normal,build") {
        let with = &with[&package];
        if *with != without {
            differ.push(format!("{package}: {without} without tests, {with} with them"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
