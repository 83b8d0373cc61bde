//! Elevations begun and ended on purpose, and who the operator is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{AccessLevel, Action, Elevation};
use serde::Serialize;

use crate::act::{Act, Done};
use crate::backend::aws;
use crate::caller::Caller;
use crate::environment::Backend;
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// Who the operator is in an environment.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    pub env: String,
    pub account_id: Option<String>,
    /// The ARN of the role, or what stands for one.
    pub role: String,
    #[serde(rename = "duty")]
    pub level: AccessLevel,
    /// The level once more, under the name of the option; `duty` stays for scripts that read it.
    pub access: AccessLevel,
    pub expires_at: Option<Timestamp>,
    pub source_identity: String,
}

impl Session {
    /// Who the operator is by what this machine knows. Nobody is asked.
    pub fn identity(&self) -> OpsResult<Identity> {
        let level = self.access_level()?;
        let (account_id, role) = match &self.env.target {
            Backend::Embedded { .. } => (None, format!("payops-{level}")),
            Backend::Kubernetes(_) => (None, "as the kubeconfig says".to_owned()),
            Backend::Aws(aws) => {
                let role = aws.roles.get(level.as_str()).map(|role| role.arn.clone());
                (
                    aws.account_id.clone(),
                    role.unwrap_or_else(|| "default AWS credentials".to_owned()),
                )
            }
        };
        let expires_at = self
            .elevation()?
            .filter(|held| held.level == level)
            .map(|held| held.ends_at());
        Ok(Identity {
            env: self.name().to_owned(),
            account_id,
            role,
            level,
            access: level,
            expires_at,
            source_identity: self.who().to_owned(),
        })
    }

    /// Asks STS who the operator is, where there is one; fails closed when it is another account.
    pub async fn verified_identity(&self) -> OpsResult<Identity> {
        let mut identity = self.identity()?;
        if let Backend::Aws(aws) = &self.env.target {
            let caller = if identity.level == AccessLevel::View {
                self.operator.caller(AccessLevel::View)
            } else {
                self.writing_caller(None)?
            };
            let found = Box::pin(aws::whoami(self.name(), aws, &caller)).await?;
            // The earlier of both ends it.
            identity.expires_at = [identity.expires_at, found.expires_at]
                .into_iter()
                .flatten()
                .min();
            identity.role = found.arn;
            identity.account_id = Some(found.account_id);
            if let Some(source_identity) = found.source_identity {
                identity.source_identity = source_identity;
            }
        }
        Ok(identity)
    }

    /// The elevation that would begin now.
    pub fn plan_login(
        &self,
        level: AccessLevel,
        reason: &str,
        ticket: Option<&str>,
        span: SignedDuration,
    ) -> OpsResult<Elevation> {
        let now = Timestamp::now();
        Elevation::begin(self.who(), self.name(), level, reason, ticket, now, span)
            .map_err(|error| OpsError::usage("this elevation cannot begin").because(error))
    }

    /// Begins an elevation: recorded, and kept once STS has given a session of its role, where
    /// roles are configured.
    pub async fn login(
        self: &Arc<Self>,
        elevation: &Elevation,
        mfa_code: Option<String>,
    ) -> OpsResult<()> {
        let act = Act {
            ticket: elevation.ticket.clone(),
            role: Some(elevation.level),
            ..Act::new(Action::AccountLogin)
                .reason(Some(&elevation.reason))
                .detail("until", elevation.expires_at.to_string())
                .equivalent(equivalent::elevate(&self.env, elevation))
        };
        self.act(act, async |_| {
            if let Backend::Aws(aws) = &self.env.target {
                // What STS refuses is not kept as if it were ours.
                let caller = Caller {
                    reason: Some(elevation.reason.clone()),
                    ticket: elevation.ticket.clone(),
                    mfa_code,
                    ..self.operator.caller(elevation.level)
                };
                Box::pin(aws::whoami(self.name(), aws, &caller)).await?;
            }
            self.elevations().keep(elevation)?;
            if elevation.level == AccessLevel::BreakGlass {
                self.operator.notices.warn(&format!(
                    "BREAK-GLASS in {} until {:.0}; everything you do is recorded",
                    self.name().to_uppercase(),
                    elevation.expires_at
                ));
            }
            Ok(Done::new(()))
        })
        .await
    }

    /// Ends an elevation before its time, and forgets kept sessions; whether there was one.
    pub async fn logout(self: &Arc<Self>) -> OpsResult<bool> {
        let held = self.elevations().read(self.name())?;
        if let Some(held) = &held {
            let act = Act {
                role: Some(held.level),
                ..Act::new(Action::AccountLogout)
            };
            self.act(act, async |_| {
                self.elevations().forget(self.name())?;
                Ok(Done::new(()))
            })
            .await?;
        }
        self.operator.role_sessions.forget(self.name())?;
        Ok(held.is_some())
    }
}
