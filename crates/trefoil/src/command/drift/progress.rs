//! How far the work is: a bar on the terminal that standard error goes to, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Drawings a second at most.
const DRAWN_PER_SECOND: u8 = 10;
const TEMPLATE: &str = "{bar:30} {percent:>3} %  {bytes_per_sec}, {eta} left  {wide_msg}";

/// The bar. Clones draw the same one.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Without a length until [`Progress::begin`].
    pub(super) fn new() -> Progress {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND));
        Progress { bar }
    }

    /// Begins work on so many bytes, each time they are read.
    pub(super) fn begin(&self, bytes: u64) {
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            self.bar.set_style(style);
        }
        self.bar.reset();
        self.bar.set_length(bytes.max(1));
    }

    /// What is being done.
    pub(super) fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// So many more bytes are done.
    pub(super) fn done(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Wipes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
