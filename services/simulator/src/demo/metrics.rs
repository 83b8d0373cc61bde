//! Measurements for the demo's analyses: plausible, and the same for the same question.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::controller::{MetricSource, Query};

/// Measurements for the demo. A version is bad when the seeds say so, by its tag: `2.9.0` of
/// payments-web is slow, and `0.14.0` of search-indexer can be judged neither way.
#[must_use]
pub fn metrics() -> MetricSource {
    Arc::new(|query| {
        let tag = query.image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let value = match (query.rollout, tag, query.metric) {
            ("payments-web", "2.9.0", "latency-p95") => between(query, 0.38, 0.57),
            ("search-indexer", "0.14.0", "indexed-ratio") => between(query, 0.955, 0.985),
            (_, _, "latency-p95") => between(query, 0.17, 0.28),
            (_, _, "error-rate") => between(query, 0.0005, 0.004),
            (_, _, "queue-age-seconds") => between(query, 2.0, 11.0),
            (_, _, "success-rate") => between(query, 0.9962, 0.9999),
            (_, _, "indexed-ratio") => between(query, 0.995, 1.0),
            (_, _, other) => return format!("no series is called {other}"),
        };
        format!("[{value:.4}]")
    })
}

/// A number between the two that only the question decides.
fn between(query: &Query<'_>, low: f64, high: f64) -> f64 {
    let digest = Sha256::digest(format!(
        "{}/{}/{}/{}/{}",
        query.cluster, query.rollout, query.metric, query.image, query.number
    ));
    let share = f64::from(u16::from_be_bytes([digest[0], digest[1]])) / f64::from(u16::MAX);
    low + (high - low) * share
}
