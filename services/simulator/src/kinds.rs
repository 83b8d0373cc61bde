//! The kinds of object that the API knows.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Namespace,
    Node,
    Service,
    Pod,
    Event,
    /// A deployment; there are none unless somebody makes one.
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
    reason = "each says one thing of a kind that the protocol asks for"
)]
pub(crate) struct Info {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) name: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    pub(crate) custom: bool,
    pub(crate) status: bool,
    /// Whether there is a `scale` subresource.
    pub(crate) scale: bool,
}

const ARGO: &str = "argoproj.io";

const fn core(
    plural: &'static str,
    singular: &'static str,
    name: &'static str,
    short: &'static [&'static str],
) -> Info {
    Info {
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
) -> Info {
    Info {
        group: "apps",
        ..core(plural, singular, name, short)
    }
}

const fn argo(
    plural: &'static str,
    singular: &'static str,
    name: &'static str,
    short: &'static [&'static str],
) -> Info {
    Info {
        group: ARGO,
        version: "v1alpha1",
        custom: true,
        status: false,
        ..core(plural, singular, name, short)
    }
}

static NAMESPACE: Info = Info {
    namespaced: false,
    ..core("namespaces", "namespace", "Namespace", &["ns"])
};
static NODE: Info = Info {
    namespaced: false,
    ..core("nodes", "node", "Node", &["no"])
};
static SERVICE: Info = core("services", "service", "Service", &["svc"]);
static POD: Info = core("pods", "pod", "Pod", &["po"]);
static EVENT: Info = Info {
    status: false,
    ..core("events", "event", "Event", &["ev"])
};
static DEPLOYMENT: Info = apps("deployments", "deployment", "Deployment", &["deploy"]);
static REPLICA_SET: Info = apps("replicasets", "replicaset", "ReplicaSet", &["rs"]);
static ROLLOUT: Info = Info {
    status: true,
    scale: true,
    ..argo("rollouts", "rollout", "Rollout", &["ro"])
};
static ANALYSIS_RUN: Info = argo("analysisruns", "analysisrun", "AnalysisRun", &["ar"]);
static ANALYSIS_TEMPLATE: Info = argo(
    "analysistemplates",
    "analysistemplate",
    "AnalysisTemplate",
    &["at"],
);
static CLUSTER_ANALYSIS_TEMPLATE: Info = Info {
    namespaced: false,
    ..argo(
        "clusteranalysistemplates",
        "clusteranalysistemplate",
        "ClusterAnalysisTemplate",
        &["cat"],
    )
};
static EXPERIMENT: Info = argo("experiments", "experiment", "Experiment", &["exp"]);

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

    pub(crate) const fn info(self) -> &'static Info {
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

    /// Its name in paths: `rollouts`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        self.info().plural
    }

    /// The kind of that path segment in a group and version.
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

impl Info {
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
