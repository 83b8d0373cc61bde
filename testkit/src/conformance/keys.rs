//! What every key store does.

use payops_core::port::KeyStore;

use super::number;
use crate::{ManualClock, sample};

pub async fn suite(keys: &dyn KeyStore, salt: u64) {
    let row = sample::api_key(number(salt, 1));
    assert_eq!(
        keys.key(&row.hash).await.expect("key"),
        None,
        "no key before it is written"
    );

    keys.put_key(&row).await.expect("put_key");
    assert_eq!(
        keys.key(&row.hash).await.expect("key"),
        Some(row.clone()),
        "what was written is read"
    );

    let mut revoked = row.clone();
    revoked.revoked_at = Some(ManualClock::start());
    keys.put_key(&revoked).await.expect("put_key");
    assert_eq!(
        keys.key(&row.hash).await.expect("key"),
        Some(revoked.clone()),
        "written over, and a revoked key is still given"
    );
    keys.put_key(&revoked).await.expect("put_key twice");

    let mut live = sample::api_key(number(salt, 2));
    live.live = true;
    live.merchant = "other-merchant_1".parse().expect("a merchant");
    keys.put_key(&live).await.expect("put_key");
    assert_eq!(
        keys.key(&live.hash).await.expect("key"),
        Some(live.clone()),
        "another key is another row"
    );
    assert_eq!(
        keys.key(&row.hash).await.expect("key"),
        Some(revoked),
        "the first is as it was"
    );

    let prefix = row.hash.get(..32).expect("a hash is longer");
    assert_eq!(
        keys.key(prefix).await.expect("key"),
        None,
        "a part of a hash is no hash"
    );
}
