//! The ports on one machine: SQLite for payments and queues, files for the archive, mails and
//! secrets, and a bus that fans out in process. Real stores, durable and shared by several
//! processes; not copies of cloud services' wire protocols.

mod archive;
mod bus;
mod files;
mod mailer;
mod queues;
mod secrets;
mod sqlite;
mod store;
mod ulids;

pub use archive::FileArchive;
pub use bus::EmbeddedBus;
pub use mailer::EmlMailer;
pub use queues::{QueueConfig, SqliteQueues};
pub use secrets::{EnvSecrets, FileSecrets};
pub use store::SqliteStore;
