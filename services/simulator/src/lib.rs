//! A Kubernetes API in one process, and a controller that moves Argo Rollouts through their steps
//! on it: for the demo, and for tests of everything that talks to a cluster.
//!
//! The API keeps the protocol's promises (resource versions, watches with replay and bookmarks,
//! 410 after a compaction, 409 on a stale write, the status subresource apart), so that `kubectl`
//! and the `kube` crate work against it unchanged. There is no kubelet, no scheduler and no
//! admission: pods become ready because the [`controller`] says so.
//!
//! It differs from a real API server in these ways, all on purpose:
//! - A deleted object is gone at once; there is no grace period and there are no finalizers.
//! - A strategic merge patch of a built-in kind is applied as a JSON merge patch: lists are
//!   replaced, not merged by key. Custom resources answer 415, as they do in a real cluster.
//! - Server-side apply answers 415. No schema is enforced.
//! - Everybody who has the token may do everything.

pub mod api;
pub mod controller;
pub mod demo;
mod error;
mod faults;
mod kinds;
mod kubeconfig;
mod patch;
mod select;
mod serve;
mod store;
mod table;

pub use error::ApiError;
pub use faults::{Faults, WatchFault};
pub use kinds::Kind;
pub use kubeconfig::kubeconfig;
pub use serve::Server;
pub use store::{Change, ChangeKind, Cluster, Key, Options};

use std::sync::Arc;

use jiff::Timestamp;

pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
