//! Mail.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::mail::Mail;

/// The mail service. An [`super::ErrorKind::Ambiguous`] failure means that the mail may have gone
/// out.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over; the service's name for it is returned. Sending it again sends it again.
    async fn send(&self, mail: &Mail) -> PortResult<String>;
}
