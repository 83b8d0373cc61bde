//! The lines of a body that has no end: one event each.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;

use crate::api::fail::{Cause, cause_of};

/// Bytes of one line. An object of etcd is far smaller; what sends more is no API server.
const LINE_MAX: usize = 32 * 1024 * 1024;

pub(super) struct Lines {
    body: Body,
    buffer: BytesMut,
    /// So many bytes of the buffer hold no end of a line.
    searched: usize,
}

impl Lines {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next line; `None` at the end. Nothing is lost when it is given up while it waits.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            if let Some(line) = self.take_line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            if self.buffer.len() > LINE_MAX {
                return Err(Cause::Unreadable("a line of the watch is too long".into()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self
                    .buffer
                    .extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default()),
                Some(Err(error)) => return Err(cause_of(error)),
                // A line without its end is half an event: it comes again with the next watch.
                None => return Ok(None),
            }
        }
    }

    /// A whole line of the buffer. It is split off without copying what follows: one frame may hold
    /// thousands of lines.
    fn take_line(&mut self) -> Option<Bytes> {
        let fresh = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(place) = fresh.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = self
            .buffer
            .split_to(self.searched.saturating_add(place).saturating_add(1))
            .freeze();
        self.searched = 0;
        Some(line)
    }
}
