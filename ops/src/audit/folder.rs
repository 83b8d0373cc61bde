//! A folder as the place that the record is shipped to: of another disk, another machine, or one
//! that only takes additions. One file for each environment and record, with the lines as they
//! stand.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use async_trait::async_trait;
use payops_core::domain::audit::{Head, ShippedLine};
use payops_core::port::{AuditPlace, ErrorKind, PortError, Taken};

use super::last_line;

const NAME_DIGITS: usize = 12;

#[derive(Clone, Debug)]
pub(super) struct FolderPlace {
    pub dir: PathBuf,
    pub env: String,
}

impl FolderPlace {
    fn add(&self, lines: &[ShippedLine]) -> std::io::Result<()> {
        let Some(first) = lines.first() else {
            return Ok(());
        };
        // Where a mount is missing the lines would stay on this very disk.
        if !self.dir.is_dir() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::NotFound,
                "the directory does not exist",
            ));
        }
        let env: String = self
            .env
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let name = format!(
            "audit-{env}-{}.jsonl",
            first.chain.get(..NAME_DIGITS).unwrap_or_default()
        );
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(self.dir.join(name))?;
        file.lock()?;
        let there = Head::of_line(&last_line(&mut file)?).map_or(0, |head| head.seq);
        let mut text = String::new();
        for line in lines.iter().filter(|line| line.head.seq > there) {
            text.push_str(&line.line);
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}

#[async_trait]
impl AuditPlace for FolderPlace {
    async fn take(&self, lines: &[ShippedLine]) -> Taken {
        match self.add(lines) {
            Ok(()) => Taken {
                count: lines.len(),
                error: None,
            },
            Err(error) => {
                let kind = if error.kind() == std::io::ErrorKind::NotFound {
                    ErrorKind::NotFound
                } else {
                    ErrorKind::NotWritable
                };
                Taken {
                    count: 0,
                    error: Some(PortError::because(
                        kind,
                        format!("cannot write to {}", self.dir.display()),
                        error,
                    )),
                }
            }
        }
    }
}
