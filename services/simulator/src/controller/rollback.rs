//! Whether an update goes back to an older version.

use super::context::{RolloutContext, WorkingCopy};
use super::json::{number, time};

/// Whether the new version is older than the stable one.
pub(super) fn is_rollback(ctx: &RolloutContext) -> bool {
    let created = |hash| {
        let set = ctx.find_set(hash)?;
        time(ctx.sets[set].get(), "/metadata/creationTimestamp")
    };
    match (created(ctx.current_hash()), created(ctx.stable_hash())) {
        (Some(new), Some(stable)) => new < stable,
        _ => false,
    }
}

/// Whether the update goes back by no more versions than `spec.rollbackWindow` allows.
pub(super) fn is_within_rollback_window(ctx: &RolloutContext) -> bool {
    let Some(revisions) = number(ctx.spec(), "/rollbackWindow/revisions") else {
        return false;
    };
    let created = |set: &WorkingCopy| time(set.get(), "/metadata/creationTimestamp");
    let of = |hash| ctx.find_set(hash).and_then(|at| created(&ctx.sets[at]));
    let (new, stable) = (of(ctx.current_hash()), of(ctx.stable_hash()));
    let between = ctx.sets.iter().filter(|set| {
        let at = created(set);
        new < at && at < stable
    });
    is_rollback(ctx) && i64::try_from(between.count()).is_ok_and(|count| count < revisions)
}
