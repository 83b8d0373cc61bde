//! Both indexes without a network: tantivy in folders of the tests, OpenSearch against scripted answers.

mod exact;
mod opensearch;
mod tantivy;
