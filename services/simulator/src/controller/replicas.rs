//! How many pods each version of a canary runs.

use super::context::RolloutContext;
use super::json::{count_or_percent, number};
use super::sets;

/// Pods of the new version and of the stable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplicaSplit {
    pub(super) canary: i64,
    pub(super) stable: i64,
}

/// Returns `maxSurge` and `maxUnavailable` in pods. Each is a quarter if the spec does not say, and
/// they are never both zero.
pub(super) fn surge_and_unavailable(ctx: &RolloutContext) -> (i64, i64) {
    let canary = &ctx.spec()["strategy"]["canary"];
    let quarter = serde_json::Value::from("25%");
    let of = |name: &str, up: bool| {
        count_or_percent(&canary[name], ctx.replicas(), up)
            .or_else(|| count_or_percent(&quarter, ctx.replicas(), up))
            .unwrap_or(0)
    };
    let most = i64::from(i32::MAX);
    let (surge, unavailable) = (
        of("maxSurge", true).clamp(0, most),
        of("maxUnavailable", false).clamp(0, most),
    );
    if surge == 0 && unavailable == 0 {
        (0, 1)
    } else {
        (surge, unavailable)
    }
}

pub(super) fn minimum_available(ctx: &RolloutContext) -> i64 {
    ctx.replicas() - surge_and_unavailable(ctx).1
}

/// Splits `replicas` pods as close to `weight` percent as possible, without a traffic router. With
/// a surge it may use one pod more if that is closer. Unless the weight is 0, there is at least one
/// canary.
pub(super) fn split_by_weight(replicas: i64, weight: i64, surge: i64) -> ReplicaSplit {
    if replicas == 0 {
        return ReplicaSplit {
            canary: 0,
            stable: 0,
        };
    }
    let zero_allowed = weight == 100 || weight == 0 || (replicas == 1 && surge == 0);
    let exact = replicas * weight;
    let (ceil, floor) = ((exact + 99) / 100, exact / 100);
    let mut options = Vec::new();
    if ceil < replicas || zero_allowed {
        options.push((ceil, replicas));
    }
    if exact % 100 != 50 && (floor != 0 || zero_allowed) {
        options.push((floor, replicas));
    }
    if surge > 0 {
        options.push((ceil, replicas + 1));
        if ((replicas + 1) * weight) % 100 != 50 && (floor != 0 || zero_allowed) {
            options.push((floor, replicas + 1));
        }
    }
    // The distance of canary/total from the weight, times the total: integers, compared crosswise.
    let distance = |(canary, total): (i64, i64)| (canary * 100 - weight * total).abs();
    let mut best = options.first().copied().unwrap_or((0, replicas));
    for option in options {
        if distance(option) * best.1 < distance(best) * option.1 {
            best = option;
        }
    }
    ReplicaSplit {
        canary: best.0,
        stable: best.1 - best.0,
    }
}

/// How many pods each version should have at `weight` percent.
pub(super) fn target_split(ctx: &RolloutContext, weight: i64) -> ReplicaSplit {
    let replicas = ctx.replicas();
    if !ctx.has_router() {
        return split_by_weight(replicas, weight, surge_and_unavailable(ctx).0);
    }
    let share = |weight: i64| (replicas * weight + 99) / 100;
    let canary = canary_scale(ctx).unwrap_or_else(|| share(weight));
    let dynamic = super::json::flag(ctx.spec(), "/strategy/canary/dynamicStableScale");
    let stable = if dynamic {
        share(100 - weight)
    } else {
        replicas
    };
    ReplicaSplit {
        canary: canary.clamp(0, replicas),
        stable,
    }
}

/// Pods that the last `setCanaryScale` at or before the current step asks for; `None` if the scale
/// follows the weight.
fn canary_scale(ctx: &RolloutContext) -> Option<i64> {
    let (index, steps) = (ctx.step_index(), ctx.steps());
    if index >= steps.len() {
        return None;
    }
    let scale = steps
        .iter()
        .take(index + 1)
        .rev()
        .map(|step| &step["setCanaryScale"])
        .find(|scale| scale.is_object())?;
    if super::json::flag(scale, "/matchTrafficWeight") {
        return None;
    }
    number(scale, "/replicas").or_else(|| {
        number(scale, "/weight")
            .map(|weight| weight.clamp(0, 100))
            .map(|weight| (ctx.replicas() * weight + 99) / 100)
    })
}

/// Scales `ReplicaSets`, given by index, toward their targets: growth stays within the surge, and
/// enough pods stay available.
pub(super) fn scale_toward(ctx: &mut RolloutContext, targets: &[(usize, i64)]) {
    let (surge, unavailable) = surge_and_unavailable(ctx);
    let replicas = ctx.replicas();
    let all = 0..ctx.sets.len();
    let existing: i64 = all
        .clone()
        .map(|at| sets::desired_pods(ctx, Some(at)).max(sets::current_pods(ctx, Some(at))))
        .sum();
    let available: i64 = all.map(|at| sets::available_pods(ctx, Some(at))).sum();
    // With a router the canary comes on top of the stable pods, which all stay.
    let mut room = if ctx.has_router() {
        i64::MAX
    } else {
        (replicas + surge - existing).max(0)
    };
    let mut spare = (available - (replicas - unavailable)).max(0);
    for (at, target) in targets.iter().copied() {
        let now = sets::desired_pods(ctx, Some(at));
        let next = if target > now {
            let more = (target - now).min(room);
            room -= more;
            now + more
        } else {
            // Pods that are not available can always go.
            let idle = (now - sets::available_pods(ctx, Some(at))).max(0);
            let less = (now - target).min(spare + idle);
            spare -= (less - idle).max(0);
            now - less
        };
        sets::scale(ctx, at, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(replicas: i64, weight: i64, surge: i64, canary: i64, stable: i64) {
        assert_eq!(
            split_by_weight(replicas, weight, surge),
            ReplicaSplit { canary, stable },
            "{replicas} pods at {weight} %, surge {surge}"
        );
    }

    #[test]
    fn pods_come_as_close_to_the_weight_as_they_can() {
        check(10, 20, 3, 2, 8);
        check(10, 25, 0, 3, 7);
        check(3, 10, 1, 1, 3);
        check(5, 10, 0, 1, 4);
        check(4, 33, 1, 2, 3);
    }

    #[test]
    fn nothing_and_all_are_exact() {
        check(10, 0, 3, 0, 10);
        check(10, 100, 3, 10, 0);
        check(0, 50, 1, 0, 0);
        check(1, 50, 0, 1, 0);
    }

    #[test]
    fn one_pod_stays_stable_until_the_weight_is_whole() {
        check(2, 99, 0, 1, 1);
        check(1, 10, 1, 1, 1);
    }
}
