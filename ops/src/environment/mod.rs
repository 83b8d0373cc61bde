//! Environments: `payops.toml`, where each setting comes from, and what Terraform says of them.

mod config;
mod diff;
mod edit;
mod explain;
mod outputs;
mod parts;
mod settings;

pub use config::{
    AwsConfig, ClusterConfig, Config, ConfigFile, ConsumerRollout, EmbeddedConfig, EnvConfig, FILE,
    KubernetesConfig, QueueConfig, QueueNames, RoleConfig, find,
};
pub use diff::{DiffLine, diff_lines};
pub use edit::{merged, read_or_empty, write_whole};
pub use explain::{Setting, explain};
pub use outputs::{Fact, Held, Outputs};
pub use parts::Part;
pub use settings::{
    Backend, EMBEDDED, Environment, KubeContext, Lookup, Origin, Overrides, Settings, Sourced,
};
