//! The kinds of objects that the API serves.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Namespace,
    Node,
    Service,
    Pod,
    Event,
    Deployment,
    ReplicaSet,
    Rollout,
    AnalysisRun,
    AnalysisTemplate,
    ClusterAnalysisTemplate,
    Experiment,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent property in the protocol"
)]
pub(crate) struct KindInfo {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) name: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    pub(crate) custom: bool,
    pub(crate) status: bool,
    /// Whether the kind has a `scale` subresource.
    pub(crate) scale: bool,
}

const ARGO: &str = "argoproj.io";

const fn core(
    plural: &'static str,
    singular: &'static str,
    name: &'static str,
    short: &'static [&'static str],
) -> KindInfo {
    KindInfo {
        group: "",
        version: "v1",
        plural,
        singular,
        name,
        short,
        namespaced: true,
        custom: false,
        status: true,
        scale: false,
    }
}

const fn apps(
    plural: &'static str,
    singular: &'static str,
    name: &'static str,
    short: &'static [&'static str],
) -> KindInfo {
    KindInfo {
        group: "apps",
        ..core(plural, singular, name, short)
    }
}

const fn argo(
    plural: &'static str,
    singular: &'static str,
    name: &'static str,
    short: &'static [&'static str],
) -> KindInfo {
    KindInfo {
        group: ARGO,
        version: "v1alpha1",
        custom: true,
        status: false,
        ..core(plural, singular, name, short)
    }
}

static NAMESPACE: KindInfo = KindInfo {
    namespaced: false,
    ..core("namespaces", "namespace", "Namespace", &["ns"])
};
static NODE: KindInfo = KindInfo {
    namespaced: false,
    ..core("nodes", "node", "Node", &["no"])
};
static SERVICE: KindInfo = core("services", "service", "Service", &["svc"]);
static POD: KindInfo = core("pods", "pod", "Pod", &["po"]);
static EVENT: KindInfo = KindInfo {
    status: false,
    ..core("events", "event", "Event", &["ev"])
};
static DEPLOYMENT: KindInfo = apps("deployments", "deployment", "Deployment", &["deploy"]);
static REPLICA_SET: KindInfo = apps("replicasets", "replicaset", "ReplicaSet", &["rs"]);
static ROLLOUT: KindInfo = KindInfo {
    status: true,
    scale: true,
    ..argo("rollouts", "rollout", "Rollout", &["ro"])
};
static ANALYSIS_RUN: KindInfo = argo("analysisruns", "analysisrun", "AnalysisRun", &["ar"]);
static ANALYSIS_TEMPLATE: KindInfo = argo(
    "analysistemplates",
    "analysistemplate",
    "AnalysisTemplate",
    &["at"],
);
static CLUSTER_ANALYSIS_TEMPLATE: KindInfo = KindInfo {
    namespaced: false,
    ..argo(
        "clusteranalysistemplates",
        "clusteranalysistemplate",
        "ClusterAnalysisTemplate",
        &["cat"],
    )
};
static EXPERIMENT: KindInfo = argo("experiments", "experiment", "Experiment", &["exp"]);

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Namespace,
        Self::Node,
        Self::Service,
        Self::Pod,
        Self::Event,
        Self::Deployment,
        Self::ReplicaSet,
        Self::Rollout,
        Self::AnalysisRun,
        Self::AnalysisTemplate,
        Self::ClusterAnalysisTemplate,
        Self::Experiment,
    ];

    pub(crate) const fn info(self) -> &'static KindInfo {
        match self {
            Self::Namespace => &NAMESPACE,
            Self::Node => &NODE,
            Self::Service => &SERVICE,
            Self::Pod => &POD,
            Self::Event => &EVENT,
            Self::Deployment => &DEPLOYMENT,
            Self::ReplicaSet => &REPLICA_SET,
            Self::Rollout => &ROLLOUT,
            Self::AnalysisRun => &ANALYSIS_RUN,
            Self::AnalysisTemplate => &ANALYSIS_TEMPLATE,
            Self::ClusterAnalysisTemplate => &CLUSTER_ANALYSIS_TEMPLATE,
            Self::Experiment => &EXPERIMENT,
        }
    }

    /// Plural name as in paths: `rollouts`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        self.info().plural
    }

    /// Finds the kind of a path segment in a group and version.
    #[must_use]
    pub fn find(group: &str, version: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            let info = kind.info();
            info.group == group && info.version == version && info.plural == plural
        })
    }

    #[must_use]
    pub fn of(object: &serde_json::Value) -> Option<Self> {
        let (version, name) = (
            object.get("apiVersion")?.as_str()?,
            object.get("kind")?.as_str()?,
        );
        Self::ALL
            .into_iter()
            .find(|kind| kind.info().name == name && kind.info().api_version() == version)
    }
}

impl KindInfo {
    /// `argoproj.io/v1alpha1`, or `v1` alone for the core group.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `rollouts.argoproj.io`, as error messages name it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }
}
