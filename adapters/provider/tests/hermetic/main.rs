//! The providers without a network: the simulated acquirer, and HTTP against a server of this process.

mod http;
mod simulated;
mod support;
