//! The other programs that tests run: Python, Node and the built binary's own commands.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::random::variable;

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Its standard output, given that it succeeded.
    ///
    /// # Panics
    /// When it did not, with all that it said.
    #[must_use]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Everything it said.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// The built `trefoil`: `TREFOIL_BIN`, or the one beside the test's own executable.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn trefoil() -> PathBuf {
    if let Some(path) = variable("TREFOIL_BIN") {
        return path.into();
    }
    // target/debug/deps/e2e-0123456789abcdef
    let test = std::env::current_exe().expect("the test's own path");
    let path = test.ancestors().nth(2).expect("the target directory").join("trefoil");
    let built = path.try_exists().unwrap_or(false);
    assert!(built, "{} is not there: `cargo build --workspace --bins` makes it", path.display());
    path
}

/// The environment's Python, with the packages of `scripts/requirements.txt`.
#[must_use]
pub fn python() -> PathBuf {
    let venv = variable("VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    let path = venv.join("bin/python");
    let there = path.try_exists().unwrap_or(false);
    assert!(there, "{} is not there: `scripts/setup test` makes it", path.display());
    path
}

/// A program of a Debian package, installed or unpacked beside the environment's Python.
#[must_use]
pub fn debian(name: &str) -> Option<PathBuf> {
    let python = python();
    let environment = python.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let unpacked = environment.join("debian/usr/bin").join(name);
    [Path::new("/usr/bin").join(name), unpacked].into_iter().find(|path| path.is_file())
}

/// A command without the tests' own variables, which the server would take for its configuration.
#[must_use]
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TREFOIL_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end.
///
/// # Panics
/// When it does not start, or does not end within `deadline`.
pub async fn run(command: &mut Command, deadline: Duration) -> Output {
    run_with_input(command, "", deadline).await
}

/// Runs a command to its end with `input` on its standard input.
///
/// # Panics
/// When it does not start, or does not end within `deadline`.
pub async fn run_with_input(command: &mut Command, input: &str, deadline: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A program that does not read its input may be gone already.
    drop(stdin.write_all(input.as_bytes()).await);
    drop(stdin);
    let ended = tokio::time::timeout(deadline, child.wait_with_output()).await;
    let output = ended
        .unwrap_or_else(|_| panic!("{command:?} did not end within {deadline:?}"))
        .expect("its output can be read");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `trefoil` with these arguments to its end.
pub async fn run_trefoil(arguments: &[&str]) -> Output {
    run(command(trefoil()).args(arguments), crate::wait::PATIENCE).await
}
