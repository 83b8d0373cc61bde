//! Who asks an environment, and where words for that person go.

use std::sync::Arc;

use payops_core::domain::access::AccessLevel;

use crate::backend::role_sessions::RoleSessions;

/// Whether ports are opened to look or to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    Write,
}

/// Where words for the operator go while something is done, and where an MFA code comes from.
pub trait Notices: Send + Sync {
    /// Something that the operator must hear even when they asked for silence.
    fn warn(&self, text: &str);

    /// Asks for the code of an MFA device; `None` when there is nobody to ask.
    fn ask_mfa_code(&self) -> Option<String>;
}

/// Notices that nobody reads: for what runs without a person.
#[derive(Clone, Copy, Debug)]
pub struct NoNotices;

impl Notices for NoNotices {
    fn warn(&self, _: &str) {}

    fn ask_mfa_code(&self) -> Option<String> {
        None
    }
}

/// Who asks an environment in AWS: what a session of its roles is made of.
#[derive(Clone)]
pub struct Caller {
    /// The person: the source identity of sessions.
    pub who: String,
    /// Why: a tag of sessions.
    pub reason: Option<String>,
    /// Which role is assumed.
    pub level: AccessLevel,
    /// The ticket it belongs to: a tag too.
    pub ticket: Option<String>,
    pub sessions: Arc<RoleSessions>,
    /// The code of an MFA device that was given already.
    pub mfa_code: Option<String>,
    pub notices: Arc<dyn Notices>,
}
