//! The adapter against the OpenSearch server that `live/run` starts.

mod opensearch;
