//! How far a transaction had come when it failed, which decides whether it may be in the ledger.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// COMMIT was not sent: nothing was written.
    Before,
    Commit,
}
