//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Asks `check` every 50 ms until it gives something.
///
/// # Panics
/// When `timeout` passes first; `what` says what did not happen.
pub async fn eventually<T, F, Fut>(timeout: Duration, what: &str, mut check: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(start.elapsed() < timeout, "not within {timeout:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
