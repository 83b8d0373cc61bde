//! The same as an action with `kubectl`, for people to read and to type.

use payops_core::domain::rollout::{ImageChange, RolloutAction, RolloutKey};

/// The command that does the same as `action`; of the plug-in `argo rollouts` where it knows the
/// action.
#[must_use]
pub fn equivalent(action: &RolloutAction, key: &RolloutKey) -> String {
    let RolloutKey { namespace, name } = key;
    let plugin = |verb: &str| format!("kubectl argo rollouts {verb} {name} -n {namespace}");
    let merge = |kind: &str, name: &str, spec: &str| {
        format!(
            "kubectl patch {kind} {name} -n {namespace} --type merge -p '{{\"spec\":{{{spec}}}}}'"
        )
    };
    match action {
        RolloutAction::Promote => plugin("promote"),
        RolloutAction::PromoteFull => format!("{} --full", plugin("promote")),
        RolloutAction::Skip => format!("{} --skip-current-step", plugin("promote")),
        RolloutAction::Abort => plugin("abort"),
        RolloutAction::Retry => plugin("retry rollout"),
        RolloutAction::Pause => plugin("pause"),
        RolloutAction::Resume => merge("rollout", name, r#""paused":false"#),
        RolloutAction::Restart { .. } => plugin("restart"),
        RolloutAction::Undo { revision: None } => plugin("undo"),
        RolloutAction::Undo {
            revision: Some(revision),
        } => format!("{} --to-revision={revision}", plugin("undo")),
        RolloutAction::SetImage(images) => {
            let images: Vec<String> = images.iter().map(image_argument).collect();
            format!(
                "kubectl argo rollouts set image {name} {} -n {namespace}",
                images.join(" ")
            )
        }
        RolloutAction::TerminateAnalysis { name } => {
            merge("analysisrun", name, r#""terminate":true"#)
        }
        RolloutAction::TerminateExperiment { name } => {
            merge("experiment", name, r#""terminate":true"#)
        }
    }
}

fn image_argument(change: &ImageChange) -> String {
    quote(&format!("{}={}", change.container, change.image))
}

/// A word as a shell takes it.
fn quote(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '+' | '=')
    };
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(action: &RolloutAction, expected: &str) {
        let key = RolloutKey {
            namespace: "payments".to_owned(),
            name: "api".to_owned(),
        };
        assert_eq!(equivalent(action, &key), expected);
    }

    #[test]
    fn the_plug_in_is_used_where_it_knows_the_action() {
        check(
            &RolloutAction::Promote,
            "kubectl argo rollouts promote api -n payments",
        );
        check(
            &RolloutAction::PromoteFull,
            "kubectl argo rollouts promote api -n payments --full",
        );
        check(
            &RolloutAction::Skip,
            "kubectl argo rollouts promote api -n payments --skip-current-step",
        );
        check(
            &RolloutAction::Retry,
            "kubectl argo rollouts retry rollout api -n payments",
        );
        check(
            &RolloutAction::Undo { revision: Some(7) },
            "kubectl argo rollouts undo api -n payments --to-revision=7",
        );
    }

    #[test]
    fn what_the_plug_in_cannot_do_is_a_patch() {
        check(
            &RolloutAction::Resume,
            r#"kubectl patch rollout api -n payments --type merge -p '{"spec":{"paused":false}}'"#,
        );
        check(
            &RolloutAction::TerminateAnalysis {
                name: "latency".to_owned(),
            },
            r#"kubectl patch analysisrun latency -n payments --type merge -p '{"spec":{"terminate":true}}'"#,
        );
    }

    #[test]
    fn images_are_words_of_a_shell() {
        let change = |container: &str, image: &str| ImageChange {
            container: container.to_owned(),
            image: image.to_owned(),
        };
        check(
            &RolloutAction::SetImage(vec![change("api", "r/api:1.9.0"), change("*", "r/x:2")]),
            "kubectl argo rollouts set image api api=r/api:1.9.0 '*=r/x:2' -n payments",
        );
    }
}
