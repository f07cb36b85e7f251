//! A process that does not outlive this one: it ends when its standard input is closed, which the
//! system does even when this process is killed.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{self, ChildStdin, Command};
use tokio::sync::Mutex;

/// How long it may take to end before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Child {
    process: Mutex<process::Child>,
    stdin: Option<ChildStdin>,
}

impl Child {
    pub(super) fn start(mut command: Command) -> anyhow::Result<Child> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        // Ctrl-C at a terminal goes to the whole group; these end when they are asked to.
        command.process_group(0);
        let mut process = command.spawn().context("cannot start a process of the demo")?;
        let stdin = process.stdin.take();
        Ok(Child { process: Mutex::new(process), stdin })
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) {
        drop(self.process.lock().await.wait().await);
    }

    /// Asks it to end and waits until it has.
    pub(super) async fn stop(self) {
        drop(self.stdin);
        let mut process = self.process.into_inner();
        if tokio::time::timeout(ENDS_WITHIN, process.wait()).await.is_err() {
            drop(process.kill().await);
        }
    }
}
