//! What an operator may do, done safely. The command line parses, calls this and prints; the
//! screen and Admin Web reach it through [`payops_core::operations::Operations`].
//!
//! Nothing here knows arguments, a terminal or a progress bar. Every write goes through
//! [`Session::act`](session::Session::act): policy, elevation, audit record, freeze.

pub mod access;
pub mod act;
pub mod audit;
pub mod backend;
pub mod caller;
pub mod dead_letters;
pub mod doctor;
pub mod embedded;
pub mod environment;
pub mod equivalent;
pub mod error;
pub mod index;
pub mod json;
pub mod kubeconfig;
pub mod operations;
pub mod operator;
pub mod payments;
pub mod queues;
pub mod rollouts;
pub mod session;
pub mod times;
pub mod version;
