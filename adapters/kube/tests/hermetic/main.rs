//! The adapters without a network: a simulated cluster, a scripted API server, a small Argo CD.

mod argocd;
mod cluster;
mod kube;
mod recorded;
mod told;
