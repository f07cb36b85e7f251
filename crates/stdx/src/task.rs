//! Background tasks with a name, tied to the process's shutdown.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Starts `future` under `name`, which its log lines carry at level debug. It is dropped at its
/// next await when `shutdown` is cancelled; a task that must finish its work first should watch the
/// token itself and be started with [`spawn_to_end`].
pub fn spawn<F>(
    name: &'static str,
    shutdown: &CancellationToken,
    future: F,
) -> JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let shutdown = shutdown.clone();
    spawn_to_end(name, async move { shutdown.run_until_cancelled(future).await })
}

/// Starts `future` under `name` and lets it end by itself.
pub fn spawn_to_end<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is where tasks are started")]
    tokio::task::spawn(future.instrument(tracing::debug_span!("task", name)))
}
