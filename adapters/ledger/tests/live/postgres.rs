//! The ledger on the PostgreSQL server of the live suite, which may hold rows of earlier runs.

use payops_ledger::PostgresLedger;
use payops_testkit::{conformance, fresh_salt};
use secrecy::SecretString;

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let Ok(url) = std::env::var("PAYOPS_LIVE_POSTGRES_URL") else {
        return println!("not run: PAYOPS_LIVE_POSTGRES_URL is not set");
    };
    let url = SecretString::from(url);
    let ledger = PostgresLedger::connect(&url, Some(&url), 8)
        .await
        .expect("connects");
    ledger.migrate().await.expect("makes its tables");
    conformance::ledger::suite(&ledger, fresh_salt()).await;
}
