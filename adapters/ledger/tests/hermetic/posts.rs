//! Many posts at once through two openers of one ledger.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use payops_core::port::{Ledger, PostOutcome};
use payops_testkit::sample;

/// Posts each of `count` transactions four times, through both ledgers in turn.
pub(crate) async fn posts_at_once_are_each_written_once(ledgers: [&dyn Ledger; 2], count: u64) {
    let posts = (0..count * 4).map(|n| {
        let ledger = ledgers[usize::from(n % 2 == 0)];
        async move {
            ledger
                .post(&sample::transaction(n / 4))
                .await
                .expect("posts")
        }
    });
    let outcomes = futures::future::join_all(posts).await;
    let posted = outcomes
        .iter()
        .filter(|outcome| **outcome == PostOutcome::Posted);
    assert_eq!(u64::try_from(posted.count()), Ok(count));
    assert!(
        outcomes
            .iter()
            .all(|outcome| !matches!(outcome, PostOutcome::Mismatch(_)))
    );
}
