//! The ports on AWS: DynamoDB, SQS, S3, EventBridge, SES and Secrets Manager; and who we are there
//! ([`identity`]).
//!
//! Each module implements one port and knows one service. What Terraform makes in production
//! (table, queues, bucket, bus and rules) [`setup`] makes for tests and the emulator.

pub mod checked;
mod config;
pub mod dynamo;
pub mod eks;
mod eventbridge;
mod fail;
pub mod identity;
pub mod permissions;
mod s3;
mod secrets;
mod ses;
pub mod setup;
pub mod sqs;

pub use config::{AwsConfig, Clients, load};
pub use dynamo::{DynamoApprovalStore, DynamoFreezeStore, DynamoStore};
pub use eventbridge::EventBridgeBus;
pub use s3::S3Archive;
pub use secrets::SecretsManager;
pub use ses::SesMailer;
pub use sqs::SqsQueues;
