//! The adapters against an AWS emulator, a second SQS and a second S3, which `live/run` starts.

mod aws;
mod replay;
mod s3;
mod sqs;
