//! Paths of the Kubernetes API.

use std::fmt::Write;

use payops_core::domain::rollout::{RolloutKey, WorkloadRef};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Rollouts,
    AnalysisRuns,
    Experiments,
    ReplicaSets,
    Pods,
}

impl Kind {
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Rollouts => "rollouts",
            Self::AnalysisRuns => "analysisruns",
            Self::Experiments => "experiments",
            Self::ReplicaSets => "replicasets",
            Self::Pods => "pods",
        }
    }

    /// Its API group; that of pods has no name.
    pub(crate) const fn group(self) -> &'static str {
        match self {
            Self::Rollouts | Self::AnalysisRuns | Self::Experiments => "argoproj.io",
            Self::ReplicaSets => "apps",
            Self::Pods => "",
        }
    }

    /// As the API names it when it may not be read: `replicasets.apps in team-a`.
    pub(crate) fn describe_in(self, namespace: &str) -> String {
        let dot = if self.group().is_empty() { "" } else { "." };
        format!("{}{dot}{} in {namespace}", self.plural(), self.group())
    }

    const fn root(self) -> &'static str {
        match self {
            Self::Rollouts | Self::AnalysisRuns | Self::Experiments => "/apis/argoproj.io/v1alpha1",
            Self::ReplicaSets => "/apis/apps/v1",
            Self::Pods => "/api/v1",
        }
    }

    /// All of the kind; of one namespace, or of all.
    pub(crate) fn collection(self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!(
                "{}/namespaces/{}/{}",
                self.root(),
                escape(namespace),
                self.plural()
            ),
            None => format!("{}/{}", self.root(), self.plural()),
        }
    }

    pub(crate) fn object(self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.collection(Some(namespace)), escape(name))
    }
}

pub(crate) fn rollout(key: &RolloutKey) -> String {
    Kind::Rollouts.object(&key.namespace, &key.name)
}

/// The object whose pod template a rollout in `namespace` uses; `None` for a kind that no
/// controller takes.
pub(crate) fn workload(namespace: &str, reference: &WorkloadRef) -> Option<String> {
    let (root, plural) = match reference.kind.as_str() {
        "Deployment" => ("/apis/apps/v1", "deployments"),
        "ReplicaSet" => ("/apis/apps/v1", "replicasets"),
        "PodTemplate" => ("/api/v1", "podtemplates"),
        _ => return None,
    };
    let (namespace, name) = (escape(namespace), escape(&reference.name));
    Some(format!("{root}/namespaces/{namespace}/{plural}/{name}"))
}

/// `path` with a query.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (place, (key, value)) in query.iter().enumerate() {
        out.push(if place == 0 { '?' } else { '&' });
        out.push_str(key);
        out.push('=');
        out.push_str(&escape(value));
    }
    out
}

/// Percent-encodes all but the unreserved characters of RFC 3986, so that no name can leave its
/// place in a path or query.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(
            Kind::Rollouts.collection(None),
            "/apis/argoproj.io/v1alpha1/rollouts"
        );
        assert_eq!(
            Kind::ReplicaSets.collection(Some("payments")),
            "/apis/apps/v1/namespaces/payments/replicasets"
        );
        assert_eq!(
            Kind::Pods.object("payments", "a-1"),
            "/api/v1/namespaces/payments/pods/a-1"
        );
        let query = with_query("/x", &[("limit", "500"), ("labelSelector", "a in (b,c)")]);
        assert_eq!(query, "/x?limit=500&labelSelector=a%20in%20%28b%2Cc%29");
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        assert_eq!(
            Kind::Pods.object("n", "../../x?y#z"),
            "/api/v1/namespaces/n/pods/..%2F..%2Fx%3Fy%23z"
        );
    }
}
