//! API keys: what one looks like, and how it is stored (a keyed hash, never the key).

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::id::MerchantId;
use crate::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRow {
    pub hash: String,
    /// The first characters of the key, for people: `sk_test_ab12`.
    pub prefix: String,
    pub merchant: MerchantId,
    pub live: bool,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub merchant: MerchantId,
    pub live: bool,
}

/// A new key from 16 random bytes: `sk_live_…` or `sk_test_…`.
#[must_use]
pub fn make(live: bool, random: [u8; 16]) -> SecretString {
    let mode = if live { "live" } else { "test" };
    SecretString::from(format!("sk_{mode}_{}", hex::encode(random)))
}

/// The row for `key`.
#[must_use]
pub fn row(
    key: &SecretString,
    merchant: &MerchantId,
    live: bool,
    pepper: &SecretString,
    at: Timestamp,
) -> ApiKeyRow {
    let prefix = key.expose_secret().chars().take(12).collect();
    ApiKeyRow {
        hash: hash(key, pepper),
        prefix,
        merchant: merchant.clone(),
        live,
        created_at: at,
        revoked_at: None,
    }
}

/// The keyed hash (HMAC-SHA-256, hexadecimal) that a key is stored and looked up under.
#[must_use]
pub fn hash(key: &SecretString, pepper: &SecretString) -> String {
    hex::encode(mac(pepper, key.expose_secret().as_bytes()))
}

/// HMAC-SHA-256 of `message` under `key`.
#[must_use]
pub fn mac(key: &SecretString, message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail; an empty answer would match nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else {
        return Vec::new();
    };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Whether `tag` is the HMAC-SHA-256 of `message` under `key`; takes the same time whatever
/// differs.
#[must_use]
pub fn verify(key: &SecretString, message: &[u8], tag: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(message);
    mac.verify_slice(tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_does_not_give_the_key_away() {
        let pepper = SecretString::from("pepper");
        let key = make(true, [7; 16]);
        let row = row(
            &key,
            &"acme".parse().expect("a merchant"),
            true,
            &pepper,
            Timestamp::UNIX_EPOCH,
        );
        let text = format!("{row:?} {key:?}");
        assert!(!text.contains(key.expose_secret()), "{text}");
        assert_eq!(row.hash, hash(&key, &pepper));
        assert_ne!(row.hash, hash(&key, &SecretString::from("other")));
        assert_eq!(row.prefix, "sk_live_0707");
    }
}
