//! What a watch told, in a line that a test can compare.

use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::Watched;

pub(crate) fn line(told: &Watched<Rollout, RolloutKey>) -> String {
    match told {
        Watched::All(all) => {
            let names: Vec<&str> = all.iter().map(|one| one.key.name.as_str()).collect();
            format!("all {}", names.join(","))
        }
        Watched::Changed(rollout) => format!("changed {}", rollout.key.name),
        Watched::Gone(key) => format!("gone {}", key.name),
        Watched::Cut { why, .. } => format!("cut {why}"),
    }
}
