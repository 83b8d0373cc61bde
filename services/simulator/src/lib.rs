//! Simulates Kubernetes clusters with Argo Rollouts in one process: an API server, and a controller
//! that moves rollouts through their steps. For the embedded platform, and for tests of whatever
//! talks to a cluster.
//!
//! The API keeps the promises of the protocol (resource versions, watches with replay and
//! bookmarks, 410 after a compaction, 409 on a stale write, a separate status subresource), so that
//! `kubectl` and the `kube` crate work against it unchanged. There is no kubelet, no scheduler and no
//! admission: pods become ready because the [`controller`] says so.
//!
//! It differs from a real API server on purpose:
//! - A deleted object is gone at once: no grace period, no finalizers.
//! - A strategic merge patch of a built-in kind is applied as a JSON merge patch: lists are
//!   replaced, not merged by key. Custom resources answer 415, as in a real cluster.
//! - Server-side apply answers 415, and no schema is enforced.
//! - A token allows everything.

pub mod api;
pub mod controller;
pub mod demo;
mod error;
mod faults;
mod kinds;
mod kubeconfig;
mod patch;
mod selectors;
mod serve;
mod store;
mod table;

pub use error::ApiError;
pub use faults::{Faults, WatchFault};
pub use kinds::Kind;
pub use kubeconfig::kubeconfig;
pub use serve::Server;
pub use store::{Change, ChangeKind, Cluster, ClusterOptions, Key};

use std::sync::Arc;

use jiff::Timestamp;

pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
