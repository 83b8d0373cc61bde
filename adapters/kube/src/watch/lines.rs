//! The lines of a body that has no end: one event each.

use http_body_util::BodyExt;
use kube::client::Body;

use crate::api::fail::{Cause, cause_of};

/// Reads lines.
pub(super) struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// So many bytes of the buffer hold no end of a line.
    searched: usize,
}

impl Lines {
    pub(super) fn of(body: Body) -> Self {
        Self { body, buffer: Vec::new(), searched: 0 }
    }

    /// The next line; `None` at the end. Nothing is lost when it is given up while it waits.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Cause> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(place) = fresh.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched.saturating_add(place).saturating_add(1));
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend(frame.data_ref().into_iter().flatten()),
                Some(Err(error)) => return Err(cause_of(error)),
                // A line without its end is half an event: it comes again with the next watch.
                None => return Ok(None),
            }
        }
    }
}
