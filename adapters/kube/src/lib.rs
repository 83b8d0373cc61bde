//! Rollouts of a cluster: through the Kubernetes API ([`KubeRollouts`]), reached by a kubeconfig
//! or as a cluster of EKS, or through Argo CD ([`ArgoCdRollouts`]), which needs no credentials of
//! the cluster and can do less.
//!
//! Both read the same objects of `argoproj.io/v1alpha1` into what they mean.

mod api;
mod argocd;
mod calls;
mod connect;
#[cfg(feature = "eks")]
pub mod eks;
mod execute;
mod images;
mod kubectl;
mod related;
mod rights;
mod rollouts;
mod watch;
mod wire;

pub use api::Timing;
pub use argocd::{ArgoCdRollouts, argo_cd_supports};
pub use connect::{KubeContexts, default_kubeconfig_files, read_contexts};
pub use kubectl::equivalent;
pub use rollouts::KubeRollouts;
