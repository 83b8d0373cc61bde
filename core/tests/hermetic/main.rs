//! What core decides, seen from outside: access, the chain of the audit record, the state machine
//! of a payment.

mod access;
mod audit_chain;
mod machine;
