//! `payops audit verify`.
use payops_core::domain::audit::{ChainBreak, Head, Verified};
use payops_ops::error::{OpsError, OpsResult};
use serde::Serialize;

use super::{records, unread};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, InEnv, Style, Tone, details};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Checked {
    file: String,
    ok: bool,
    entries: u64,
    legacy: u64,
    /// The last line's number and hash: kept elsewhere, nothing up to it can be changed unseen.
    head: Option<Head>,
    #[serde(rename = "break")]
    broken: Option<Broken>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Broken {
    line: u64,
    seq: u64,
    message: String,
}

impl Checked {
    fn new(file: String, result: Option<Result<Verified, ChainBreak>>) -> Self {
        let none = Self {
            file,
            ok: true,
            entries: 0,
            legacy: 0,
            head: None,
            broken: None,
        };
        match result {
            None => none,
            Some(Ok(Verified {
                legacy,
                entries,
                head,
            })) => Self {
                entries,
                legacy,
                head: Some(head),
                ..none
            },
            Some(Err(broken)) => {
                let told = Broken {
                    line: broken.line,
                    seq: broken.seq,
                    message: broken.to_string(),
                };
                Self {
                    ok: false,
                    broken: Some(told),
                    ..none
                }
            }
        }
    }
}

impl Document for Checked {
    fn human(&self, style: &Style) -> String {
        let state = match &self.broken {
            Some(broken) => Cell::toned(&broken.message, Tone::Bad),
            None => Cell::toned(
                if self.head.is_some() {
                    "intact"
                } else {
                    "nothing recorded yet"
                },
                Tone::Good,
            ),
        };
        let head = self.head.as_ref();
        details(
            style,
            [
                ("record", Some(Cell::from(&self.file))),
                ("chain", Some(state)),
                ("lines", head.map(|_| Cell::from(self.entries.to_string()))),
                (
                    "older lines",
                    (self.legacy > 0).then(|| Cell::from(self.legacy.to_string())),
                ),
                ("last hash", head.map(|head| Cell::from(&head.hash))),
            ],
        )
    }
}

pub(super) fn run(context: &Context) -> OpsResult<Exit> {
    let mut documents = Vec::new();
    for log in records(context)?.logs {
        let result = log.verify().map_err(unread(&log))?;
        let file = log.path().display().to_string();
        documents.push(InEnv {
            env: file.clone(),
            value: Checked::new(file, result),
        });
    }
    let broken = documents.iter().find_map(|document| {
        document
            .value
            .broken
            .clone()
            .map(|broken| (document.value.file.clone(), broken))
    });
    let many = documents.len() > 1;
    context.printer.documents(&documents, many)?;
    match broken {
        None => Ok(Exit::Done),
        Some((file, broken)) => Err(OpsError::failed(format!(
            "{file} was changed: {}",
            broken.message
        ))
        .hint("compare it with the shipped or exported lines; keep both")),
    }
}
