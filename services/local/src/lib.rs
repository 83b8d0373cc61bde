//! The whole platform in one process on one data directory: three environments in separate
//! stores, the API of each on its own loopback port, a simulated acquirer, traffic on demand.
//!
//! Nothing here is simulated but the acquirer: the stores are durable, the queues have SQS's
//! semantics, and a process that is killed goes on from where it was.

mod clusters;
mod data_dir;
mod disk;
mod error;
mod index;
mod no_index;
mod notice;
mod platform;
mod stores;
mod traffic;
mod up;

pub use data_dir::{DataDir, DirLock, ENVIRONMENTS, ReadyEnv, Running, default_data_dir};
pub use error::LocalError;
pub use index::{Reindexed, reindex};
pub use notice::Notice;
pub use stores::{Access, Stores, Surroundings, fix, open, policy};
pub use up::{EnvSummary, Status, Summary, UpOptions, down, status, up};
