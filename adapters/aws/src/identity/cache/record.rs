//! The shape of a kept session.

use std::time::Duration;

use payops_core::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::identity::hash::hash;
use crate::identity::session::{Keys, Session};
use crate::identity::spec::{Person, RoleSpec};

/// The shape that is written; another one is not read.
const VERSION: u32 = 1;
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// A session as JSON. It has no `Debug`: it holds secrets in plain text.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    env: String,
    duty: String,
    role_arn: String,
    source_identity: String,
    /// Hash of all that the session was given for; the external id is not to be read from a file.
    given_for: String,
    account_id: String,
    arn: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    capped_s: Option<u64>,
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

impl Record {
    pub(super) fn new(spec: &RoleSpec, person: &Person, session: &Session) -> Self {
        Self {
            version: VERSION,
            env: session.env.clone(),
            duty: session.access_level.clone(),
            role_arn: session.role.clone(),
            source_identity: session.source_identity.clone(),
            given_for: purpose_hash(spec, person),
            account_id: session.account_id.clone(),
            arn: session.arn.clone(),
            issued_at: session.issued_at,
            expires_at: session.expires_at,
            capped_s: session.capped.map(|asked| asked.as_secs()),
            access_key_id: session.keys.access_key_id.clone(),
            secret_access_key: session.keys.secret_access_key.expose_secret().to_owned(),
            session_token: session.keys.session_token.expose_secret().to_owned(),
        }
    }

    pub(super) fn is_for(&self, spec: &RoleSpec, person: &Person) -> bool {
        self.version == VERSION
            && self.account_id == spec.account_id
            && self.role_arn == spec.role_arn
            && self.env == spec.env
            && self.duty == spec.access_level
            && self.given_for == purpose_hash(spec, person)
    }

    /// The session; `None` when a part of it is empty.
    pub(super) fn session(self) -> Option<Session> {
        let parts = [
            &self.access_key_id,
            &self.secret_access_key,
            &self.session_token,
            &self.arn,
        ];
        let whole = parts.iter().all(|part| !part.is_empty());
        whole.then(|| Session {
            env: self.env,
            access_level: self.duty,
            account_id: self.account_id,
            arn: self.arn,
            role: self.role_arn,
            source_identity: self.source_identity,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            capped: self.capped_s.map(Duration::from_secs),
            keys: Keys {
                access_key_id: self.access_key_id,
                secret_access_key: self.secret_access_key.into(),
                session_token: self.session_token.into(),
            },
        })
    }
}

/// What makes one session another: whoever gives a new reason gets a session that carries it.
fn purpose_hash(spec: &RoleSpec, person: &Person) -> String {
    let optional = |held: &Option<String>| {
        held.as_ref()
            .map_or(String::from("-"), |held| format!("+{held}"))
    };
    let parts = [
        spec.env.clone(),
        spec.access_level.clone(),
        spec.account_id.clone(),
        spec.role_arn.clone(),
        optional(&spec.external_id),
        optional(&spec.mfa_serial),
        spec.duration.as_secs().to_string(),
        optional(&spec.session_policy),
        spec.region.clone(),
        optional(&spec.endpoint_url),
        person.name.clone(),
        optional(&person.reason),
        optional(&person.ticket),
    ];
    hash(&parts.each_ref().map(String::as_str), DIGITS)
}
