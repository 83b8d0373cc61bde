//! How many pods each version of a canary runs.

use super::json::{count_or_percent, number};
use super::scene::Scene;
use super::sets;

/// Pods of the new version and of the stable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) canary: i64,
    pub(super) stable: i64,
}

/// Pods above and below the wanted number that are allowed: `maxSurge` and `maxUnavailable`, each
/// a quarter when the spec does not say, and never both nothing.
pub(super) fn limits(scene: &Scene) -> (i64, i64) {
    let canary = &scene.spec()["strategy"]["canary"];
    let quarter = serde_json::Value::from("25%");
    let of = |name: &str, up: bool| {
        count_or_percent(&canary[name], scene.replicas(), up)
            .or_else(|| count_or_percent(&quarter, scene.replicas(), up))
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

pub(super) fn minimum(scene: &Scene) -> i64 {
    scene.replicas() - limits(scene).1
}

/// The split of `replicas` pods that comes closest to `weight` percent, where pods alone carry the
/// weight. With a surge one pod more is allowed if that comes closer. Unless the weight is 0, there
/// is at least one canary.
pub(super) fn by_pods(replicas: i64, weight: i64, surge: i64) -> Split {
    if replicas == 0 {
        return Split {
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
    // How far canary/total is from the weight, times the total; compared crosswise to stay whole.
    let off = |(canary, total): (i64, i64)| (canary * 100 - weight * total).abs();
    let mut best = options.first().copied().unwrap_or((0, replicas));
    for option in options {
        if off(option) * best.1 < off(best) * option.1 {
            best = option;
        }
    }
    Split {
        canary: best.0,
        stable: best.1 - best.0,
    }
}

/// Where the numbers of pods are to come to at `weight` percent.
pub(super) fn target(scene: &Scene, weight: i64) -> Split {
    let replicas = scene.replicas();
    if !scene.has_router() {
        return by_pods(replicas, weight, limits(scene).0);
    }
    let share = |weight: i64| (replicas * weight + 99) / 100;
    let canary = canary_scale(scene).unwrap_or_else(|| share(weight));
    let dynamic = super::json::flag(scene.spec(), "/strategy/canary/dynamicStableScale");
    let stable = if dynamic {
        share(100 - weight)
    } else {
        replicas
    };
    Split {
        canary: canary.clamp(0, replicas),
        stable,
    }
}

/// What the last `setCanaryScale` at or before the current step asks for; `None` when the scale
/// follows the weight.
fn canary_scale(scene: &Scene) -> Option<i64> {
    let (index, steps) = (scene.step_index(), scene.steps());
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
            .map(|weight| (scene.replicas() * weight + 99) / 100)
    })
}

/// Moves `ReplicaSets`, each given by its place, toward their numbers of pods: what grows stays
/// inside the surge, what shrinks leaves enough available.
pub(super) fn toward(scene: &mut Scene, targets: &[(usize, i64)]) {
    let (surge, unavailable) = limits(scene);
    let replicas = scene.replicas();
    let all = 0..scene.sets.len();
    let there: i64 = all
        .clone()
        .map(|at| sets::wanted(scene, Some(at)).max(sets::present(scene, Some(at))))
        .sum();
    let available: i64 = all.map(|at| sets::available(scene, Some(at))).sum();
    // With a router the canary comes on top of the stable pods, which all stay.
    let mut room = if scene.has_router() {
        i64::MAX
    } else {
        (replicas + surge - there).max(0)
    };
    let mut spare = (available - (replicas - unavailable)).max(0);
    for (at, target) in targets.iter().copied() {
        let now = sets::wanted(scene, Some(at));
        let next = if target > now {
            let more = (target - now).min(room);
            room -= more;
            now + more
        } else {
            // Pods that are not available are missed by nobody.
            let idle = (now - sets::available(scene, Some(at))).max(0);
            let less = (now - target).min(spare + idle);
            spare -= (less - idle).max(0);
            now - less
        };
        sets::scale(scene, at, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(replicas: i64, weight: i64, surge: i64, canary: i64, stable: i64) {
        assert_eq!(
            by_pods(replicas, weight, surge),
            Split { canary, stable },
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
