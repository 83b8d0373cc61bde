//! Mails as files: each is a whole RFC 5322 message that any mail program opens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mail_builder::MessageBuilder;
use payops_core::domain::mail::Mail;
use payops_core::domain::text::Email;
use payops_core::port::{Clock, ErrorKind, Mailer, PortError, PortResult, Random};
use payops_system::private_file;

use crate::files::{blocking, create_folder, to_error};
use crate::ulids::new_ulid;

/// Writes mails to a folder, as `kind-name-ulid.eml`.
pub struct EmlMailer {
    folder: PathBuf,
    from: Email,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl EmlMailer {
    /// Opens the folder; makes it if it is not there. Mails are from `from`.
    pub fn open(
        folder: &Path,
        from: Email,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> PortResult<Self> {
        create_folder(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            from,
            clock,
            random,
        })
    }

    fn message(&self, mail: &Mail, ulid: &str) -> PortResult<Vec<u8>> {
        let domain = self
            .from
            .as_str()
            .rsplit_once('@')
            .map_or("localhost", |(_, domain)| domain);
        let message = MessageBuilder::new()
            .from(self.from.as_str())
            .to(mail.to.as_str())
            .subject(mail.subject.as_str())
            .date(self.clock.now().as_second())
            .message_id(format!("{ulid}@{domain}"))
            .text_body(mail.text.as_str());
        message.write_to_vec().map_err(|error| {
            PortError::because(ErrorKind::Permanent, "the mail could not be built", error)
        })
    }
}

#[async_trait]
impl Mailer for EmlMailer {
    async fn send(&self, mail: &Mail) -> PortResult<String> {
        let ulid = new_ulid(&*self.clock, &*self.random);
        let bytes = self.message(mail, &ulid)?;
        let name = format!(
            "{}-{}-{ulid}.eml",
            mail.kind.as_str(),
            file_part(&mail.name)
        );
        let path = self.folder.join(&name);
        blocking(move || {
            private_file::write(&path, &bytes).map_err(|error| to_error("writing a mail", error))
        })
        .await?;
        Ok(name)
    }
}

/// A name as a part of a file's name: anything but letters, digits, `_` and `-` becomes `_`.
fn file_part(name: &str) -> String {
    name.chars()
        .take(100)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect()
}
