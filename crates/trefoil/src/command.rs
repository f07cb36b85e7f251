//! The small commands.

pub(crate) mod check;
pub(crate) mod drift;
mod features;
pub(crate) mod load;
pub(crate) mod query;
pub(crate) mod service;
pub(crate) mod test;

use std::io::Write as _;

/// Writes to standard output. A reader that is gone, as behind `| head`, is no error.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Writes an error and its causes to standard error.
pub(crate) fn say_error(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    drop(writeln!(out, "error: {error:#}"));
}
