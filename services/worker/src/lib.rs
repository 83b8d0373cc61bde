//! The worker: as a Lambda function and as a poller.
