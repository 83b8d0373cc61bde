//! The search index on OpenSearch and on tantivy.
//!
//! The index is derived and may be behind; it is made from documents
//! (`payops_core::domain::doc`) and can be rebuilt. What a query means is decided by
//! `payops_core::domain::search`: both adapters find exactly what `Query::matches` holds for.

mod local;
mod remote;
mod text;

pub use local::{IndexOptions, TantivyIndex};
pub use remote::{Credentials, OpenSearchIndex, RebuildProgress, UnfinishedIndex, Visibility};
