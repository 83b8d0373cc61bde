//! Rollouts of a cluster: through the Kubernetes API ([`KubeRollouts`]), reached by a kubeconfig
//! or as a cluster of EKS.

mod api;
mod connect;
#[cfg(feature = "eks")]
pub mod eks;
mod execute;
mod images;
mod related;
mod rollouts;
mod watch;
mod wire;

pub use api::Timing;
pub use rollouts::KubeRollouts;
