//! The rows in the tree of a rollout.

use std::collections::BTreeSet;

use payops_core::domain::rollout::{Related, Rollout};

use crate::model::{ItemKey, TreeNode};

/// The rows. Metrics of the newest revision come first; those of older ones below their revision.
pub(super) fn tree_nodes(
    rollout: &Rollout,
    related: &Related,
    unfolded: &BTreeSet<ItemKey>,
) -> Vec<(ItemKey, TreeNode)> {
    let mut out = Vec::new();
    add_runs(&mut out, related, unfolded, &|hash| {
        hash == rollout.current_hash
    });
    for (place, experiment) in related
        .experiments
        .iter()
        .enumerate()
        .filter(|(_, experiment)| experiment.revision == rollout.revision)
    {
        out.push((
            ItemKey::from(format!("experiment:{}", experiment.name)),
            TreeNode::Experiment(place),
        ));
    }
    for (place, what) in related.unreadable.iter().enumerate() {
        let item = ItemKey::from(format!("unreadable:{what}"));
        out.push((item, TreeNode::Unreadable(place)));
    }
    for (place, set) in related.replica_sets.iter().enumerate() {
        let item = ItemKey::from(format!("rs:{}", set.name));
        let open = unfolded.contains(&item);
        out.push((item, TreeNode::Revision(place)));
        if !open {
            continue;
        }
        let before = out.len();
        let pods = related
            .pods
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, pod)| pod.hash == set.hash);
        out.extend(pods.map(|(place, pod)| {
            (
                ItemKey::from(format!("pod:{}", pod.name)),
                TreeNode::Pod(place),
            )
        }));
        if out.len() == before {
            let loading = related.pods.is_none() && set.desired > 0;
            out.push((
                ItemKey::from(format!("pods:{}", set.name)),
                TreeNode::NoPods { loading },
            ));
        }
        if set.hash != rollout.current_hash {
            add_runs(&mut out, related, unfolded, &|hash| hash == set.hash);
        }
    }
    out
}

fn add_runs(
    out: &mut Vec<(ItemKey, TreeNode)>,
    related: &Related,
    unfolded: &BTreeSet<ItemKey>,
    of: &dyn Fn(&str) -> bool,
) {
    for (run, analysis) in related
        .analysis_runs
        .iter()
        .enumerate()
        .filter(|(_, analysis)| of(&analysis.hash))
    {
        for (metric, measured) in analysis.metrics.iter().enumerate() {
            let item = ItemKey::from(format!("metric:{}/{}", analysis.name, measured.name));
            let open = unfolded.contains(&item);
            out.push((item, TreeNode::Metric { run, metric }));
            if open {
                let chart = ItemKey::from(format!("chart:{}/{}", analysis.name, measured.name));
                out.push((chart, TreeNode::Chart { run, metric }));
            }
        }
    }
}
