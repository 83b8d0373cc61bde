//! The data directory of the embedded platform: what lies where, and the stores in it.

mod data_dir;
mod error;
mod index;
mod stores;
mod surroundings;

pub use data_dir::{
    DataDir, DirLock, ENVIRONMENTS, ReadyEnv, Running, default_data_dir, write_whole,
};
pub use error::LocalError;
pub use index::{Rebuild, Reindexed, reindex};
pub use stores::{Stores, fix, open};
pub use surroundings::{Surroundings, limits};
