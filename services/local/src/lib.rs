//! The whole platform in one process on one data directory: three environments in separate
//! stores, the API of each on its own loopback port, a simulated acquirer, traffic on demand.
//!
//! Nothing here is simulated but the acquirer: the stores are durable, the queues have SQS's
//! semantics, and a process that is killed goes on from where it was.

mod clusters;
mod disk;
mod notice;
mod platform;
mod traffic;
mod up;

pub use notice::Notice;
pub use up::{EnvSummary, Status, Summary, UpOptions, down, status, up};

// The stores of a data directory are opened by `payops-ops`, which the command line uses without
// the platform; here they are handed on for what runs or tests it.
pub use payops_ops::backend::local::{
    DataDir, DirLock, ENVIRONMENTS, LocalError, ReadyEnv, Reindexed, Running, Stores, Surroundings,
    default_data_dir, fix, limits, open, reindex,
};
pub use payops_ops::caller::Access;
