//! Waiting on a condition, never on time.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use stdx::clock::Stopwatch;

/// Long enough for a machine that compiles on all its cores beside the tests. Only a failing test
/// ever waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `probe` again and again until it answers `Ok`, and returns that.
///
/// # Panics
/// When [`PATIENCE`] is over, with `what` was waited for and the last answer.
pub async fn until<T, E, F>(what: &str, probe: impl FnMut() -> F) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
{
    until_within(PATIENCE, what, probe).await
}

/// [`until`] with a deadline of its own.
///
/// # Panics
/// When the deadline is over.
pub async fn until_within<T, E, F>(
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
{
    let waited = Stopwatch::start();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(answer) if waited.elapsed() >= deadline => {
                panic!("{what}: not within {deadline:?}; the last answer was {answer:?}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
