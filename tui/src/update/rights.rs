//! What may be done to rollouts: asked once for each cluster and namespace, and kept.

use std::collections::BTreeMap;

use payops_core::domain::rollout::RolloutRefusal;

use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::model::{Model, NamespaceRights, Overlay, RolloutId};

/// What to do about a right that is missing.
const INSTEAD: &str = "use a context or a role that may, or ask for the right";

/// Asks what may be done in the namespace of a rollout, unless that is known or asked already.
pub(super) fn ask_once(model: &mut Model, id: &RolloutId) -> Option<Effect> {
    let rollout = model.find_rollout(id)?;
    let is_known = model
        .find_cluster(id)
        .is_none_or(|cluster| cluster.rights.contains_key(&id.key.namespace));
    if is_known {
        return None;
    }
    let request = model.next_request();
    let rights = NamespaceRights {
        request,
        ..NamespaceRights::default()
    };
    let cluster = model
        .env_named_mut(&id.env)?
        .clusters
        .iter_mut()
        .find(|cluster| cluster.name == id.cluster)?;
    cluster.rights.insert(id.key.namespace.clone(), rights);
    Some(Effect::request(
        request,
        id.env.clone(),
        Request::Rights {
            cluster: id.cluster.clone(),
            rollout: Box::new((*rollout).clone()),
        },
    ))
}

/// Keeps the answer. A plan on screen that turns out not to be allowed is refused.
pub(super) fn handle_answer(
    model: &mut Model,
    request: u64,
    answer: Result<BTreeMap<&'static str, String>, Fault>,
) {
    // What cannot be found out is not held against anybody: the cluster itself decides.
    let denied = answer.unwrap_or_default();
    let mut clusters = model.envs.iter_mut().flat_map(|env| &mut env.clusters);
    let asked = clusters.find_map(|cluster| {
        let mut rights = cluster.rights.values_mut();
        rights.find(|rights| rights.request == request)
    });
    if let Some(rights) = asked {
        rights.denied = denied;
    }
    let Some(Overlay::Rollout(dialog)) = &model.overlay else {
        return;
    };
    let (id, plan) = (dialog.id.clone(), &dialog.plan);
    let title = format!(
        "{} {} in {}",
        plan.action.as_str(),
        id.key,
        id.env.to_uppercase()
    );
    let action = plan.action.as_str();
    if let Some(refusal) = find_refusal(model, &id, action) {
        model.overlay = Some(Overlay::Refused { title, refusal });
    }
}

/// That the rights do not allow an action, as far as that is known.
pub(super) fn find_refusal(model: &Model, id: &RolloutId, action: &str) -> Option<RolloutRefusal> {
    let cluster = model.find_cluster(id)?;
    let why = cluster.find_denial(&id.key.namespace, action)?;
    Some(RolloutRefusal {
        why: why.clone(),
        instead: INSTEAD.to_owned(),
    })
}
