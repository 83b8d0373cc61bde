//! The search index on OpenSearch and on tantivy.
