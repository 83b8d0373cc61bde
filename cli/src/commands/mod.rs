//! The commands, one file for each noun.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod capture;
pub(crate) mod config;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod freeze;
pub(crate) mod index;
pub(crate) mod local;
pub(crate) mod payment;
pub(crate) mod queue;
pub(crate) mod rollout;
pub(crate) mod shell;
