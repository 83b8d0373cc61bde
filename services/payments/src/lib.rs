//! The payments service: HTTP API and projector.
