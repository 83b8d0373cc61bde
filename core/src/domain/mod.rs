//! Values and pure decisions. Nothing here knows a port, a clock or a wire format of an outside
//! system.

pub mod access;
pub mod alarm;
pub mod apikey;
pub mod audit;
pub mod backoff;
pub mod bus;
pub mod cursor;
pub mod dead_letter;
pub mod display;
pub mod doc;
pub mod event;
pub mod filter;
pub mod id;
pub mod ledger;
pub mod limits;
pub mod machine;
pub mod mail;
pub mod mask;
pub mod metric;
pub mod money;
pub mod outbox;
pub mod pan;
pub mod payment;
pub mod planned;
pub mod privacy;
pub mod reconcile;
pub mod refund;
pub mod replay;
pub mod request;
pub mod resolve;
pub mod rollout;
pub mod search;
pub mod text;
pub mod work_item;

/// The lower-case hexadecimal SHA-256 of `bytes`.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}
