//! Environments: `payops.toml`, where each setting comes from, and what Terraform says of them.

mod config;
mod diff;
mod edit;
mod explain;
mod outputs;
mod settings;

pub use config::{
    AwsConfig, ClusterConfig, Config, ConfigFile, ConsumerRollout, EmbeddedConfig, EnvConfig, FILE,
    QueueNames, RoleConfig, find,
};
pub use diff::{DiffLine, diff_lines};
pub use edit::{merged, read_or_empty, write_whole};
pub use explain::{Setting, explain};
pub use outputs::{Fact, Held, Outputs};
pub use settings::{Backend, EMBEDDED, Environment, Lookup, Origin, Overrides, Settings, Sourced};
