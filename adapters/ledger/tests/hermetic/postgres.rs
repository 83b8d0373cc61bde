//! The ledger on a real PostgreSQL server that the tests start themselves.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::time::Duration;

use crate::posts::posts_at_once_are_each_written_once;
use crate::support::database;
use payops_core::port::{ErrorKind, Ledger as _, PostOutcome};
use payops_ledger::{Migration, PostgresLedger};
use payops_testkit::{conformance, sample};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

async fn open(url: &SecretString) -> PostgresLedger {
    let ledger = PostgresLedger::connect(url, None, 8)
        .await
        .expect("connects");
    ledger.migrate().await.expect("makes its tables");
    ledger
}

async fn raw(url: &SecretString) -> PgConnection {
    PgConnection::connect(url.expose_secret())
        .await
        .expect("connects")
}

/// Runs statements in one transaction, as somebody with a shell would; says how it failed.
async fn sql(url: &SecretString, statements: &'static str) -> String {
    let mut db = raw(url).await;
    let mut tx = db.begin().await.expect("begins");
    match sqlx::raw_sql(statements).execute(&mut *tx).await {
        Ok(_) => tx
            .commit()
            .await
            .err()
            .map_or_else(String::new, |error| error.to_string()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = PostgresLedger::connect(&url, Some(&url), 8)
        .await
        .expect("connects");
    ledger.migrate().await.expect("makes its tables");
    conformance::ledger::suite(&ledger, 1).await;
}

#[tokio::test]
async fn the_database_itself_refuses_what_is_not_double_entry() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = open(&url).await;
    assert_eq!(
        ledger.post(&sample::transaction(1)).await.expect("posts"),
        PostOutcome::Posted
    );
    let off = "INSERT INTO ledger_transactions (payment, kind, reference, merchant, live, currency, at_ms, posting_count) VALUES ('p', 'charge', 'r', 'm', false, 'EUR', 0, 2);
        INSERT INTO ledger_postings SELECT max(id), 1, 'EUR', 'a', 5 FROM ledger_transactions;
        INSERT INTO ledger_postings SELECT max(id), 2, 'EUR', 'b', -6 FROM ledger_transactions;";
    let empty = "INSERT INTO ledger_transactions (payment, kind, reference, merchant, live, \
        currency, at_ms, posting_count) VALUES ('p', 'charge', 'r', 'm', false, 'EUR', 0, 2)";
    let lone = "INSERT INTO ledger_transactions (payment, kind, reference, merchant, live, \
        currency, at_ms, posting_count) VALUES ('p', 'charge', 'r', 'm', false, 'EUR', 0, 1)";
    let foreign = "INSERT INTO ledger_transactions (payment, kind, reference, merchant, live, currency, at_ms, posting_count) VALUES ('p', 'charge', 'r', 'm', false, 'EUR', 0, 2);
        INSERT INTO ledger_postings SELECT max(id), 1, 'EUR', 'a', 5 FROM ledger_transactions;
        INSERT INTO ledger_postings SELECT max(id), 2, 'USD', 'b', -5 FROM ledger_transactions;";
    let late = "INSERT INTO ledger_postings VALUES (1, 7, 'EUR', 'c', 5), (1, 8, 'EUR', 'd', -5)";
    let refusals = [
        (off, "sum to zero"),
        (empty, "made with 2 postings and has 0"),
        (lone, "ledger_two_postings"),
        (foreign, "foreign key"),
        (late, "made with 2 postings and has 4"),
        (
            "UPDATE ledger_postings SET minor = minor * 2",
            "UPDATE on ledger_postings refused",
        ),
        (
            "UPDATE ledger_transactions SET posting_count = 4",
            "UPDATE on ledger_transactions refused",
        ),
        (
            "DELETE FROM ledger_postings",
            "DELETE on ledger_postings refused",
        ),
        (
            "DELETE FROM ledger_transactions",
            "DELETE on ledger_transactions refused",
        ),
        (
            "TRUNCATE ledger_transactions, ledger_postings",
            "TRUNCATE on ledger_transactions refused",
        ),
    ];
    for (statements, refusal) in refusals {
        let said = sql(&url, statements).await;
        assert!(said.contains(refusal), "{statements}: {said}");
    }
    assert_eq!(
        ledger.scan(None, 10).await.expect("reads").transactions,
        [sample::transaction(1)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_posts_at_once_are_each_written_once() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let (one, two) = (
        PostgresLedger::connect(&url, None, 8)
            .await
            .expect("connects"),
        PostgresLedger::connect(&url, None, 8)
            .await
            .expect("connects"),
    );
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first
        .and(second)
        .expect("of two at once, one makes the tables");
    posts_at_once_are_each_written_once([&one, &two], 50).await;
}

#[tokio::test]
async fn a_serializable_default_changes_nothing() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = open(&url).await;
    let strict = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation \
        = serializable', current_database()); END $$";
    assert_eq!(sql(&url, strict).await, "");
    let strict = open(&url).await;
    posts_at_once_are_each_written_once([&ledger, &strict], 10).await;
}

/// Makes the next COMMIT of a posting cut its own connection: a trigger that runs at commit ends
/// the backend.
const CUT_AT_COMMIT: &str = "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER zz_cut AFTER INSERT ON ledger_transactions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION cut();";

#[tokio::test]
async fn a_connection_lost_at_commit_is_ambiguous_and_posting_again_settles_it() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = open(&url).await;
    assert_eq!(sql(&url, CUT_AT_COMMIT).await, "");
    let error = ledger
        .post(&sample::transaction(1))
        .await
        .expect_err("the connection is cut");
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{}", error.chain());
    assert_eq!(
        sql(&url, "DROP TRIGGER zz_cut ON ledger_transactions").await,
        ""
    );
    assert_eq!(
        ledger.post(&sample::transaction(1)).await.expect("posts"),
        PostOutcome::Posted
    );
    assert_eq!(
        ledger.post(&sample::transaction(1)).await.expect("posts"),
        PostOutcome::Already
    );
}

#[tokio::test]
async fn a_connection_lost_before_commit_is_unavailable() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = open(&url).await;
    let cut = "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NEW; END $$;
        CREATE TRIGGER zz_cut BEFORE INSERT ON ledger_transactions FOR EACH ROW EXECUTE FUNCTION cut();";
    assert_eq!(sql(&url, cut).await, "");
    let error = ledger
        .post(&sample::transaction(1))
        .await
        .expect_err("the connection is cut");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
    assert!(
        ledger
            .scan(None, 10)
            .await
            .expect("reads")
            .transactions
            .is_empty()
    );
}

#[tokio::test]
async fn serialization_failures_are_tried_again() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = open(&url).await;
    // Fails the first two tries: a sequence is not rolled back with its transaction.
    let twice = "CREATE SEQUENCE tries; CREATE FUNCTION give_way() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF nextval('tries') < 3 THEN RAISE EXCEPTION 'given way' USING ERRCODE = 'serialization_failure'; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER zz_give_way AFTER INSERT ON ledger_transactions DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION give_way();";
    assert_eq!(sql(&url, twice).await, "");
    assert_eq!(
        ledger.post(&sample::transaction(1)).await.expect("posts"),
        PostOutcome::Posted
    );
    let mut db = raw(&url).await;
    let tries: i64 = sqlx::query_scalar("SELECT last_value FROM tries")
        .fetch_one(&mut db)
        .await
        .expect("reads");
    assert_eq!(tries, 3);
}

#[tokio::test]
async fn a_read_only_database_takes_nothing_and_a_missing_table_is_named() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = PostgresLedger::connect(&url, None, 2)
        .await
        .expect("connects");
    assert_eq!(
        ledger
            .post(&sample::transaction(1))
            .await
            .expect_err("no tables")
            .kind,
        ErrorKind::NotFound
    );
    ledger.migrate().await.expect("makes its tables");
    ledger.migrate().await.expect("finds its tables");
    let deny = "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader";
    assert_eq!(sql(&url, deny).await, "");
    let reader = SecretString::from(url.expose_secret().replace("postgres@", "reader@"));
    let reader = PostgresLedger::connect(&reader, None, 2)
        .await
        .expect("connects");
    assert_eq!(
        reader
            .post(&sample::transaction(1))
            .await
            .expect_err("may not")
            .kind,
        ErrorKind::Denied
    );
}

#[tokio::test]
async fn a_database_is_migrated_once_and_newer_tables_are_left_alone() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let migrate = || PostgresLedger::migrate_database(&url);
    assert_eq!(migrate().await.expect("made"), Migration::Created);
    assert_eq!(migrate().await.expect("there"), Migration::Unneeded);
    let ledger = open(&url).await;
    ledger.post(&sample::transaction(1)).await.expect("posts");
    assert_eq!(sql(&url, "INSERT INTO ledger_schema VALUES (7)").await, "");
    assert_eq!(migrate().await.expect("left alone"), Migration::Newer(7));
    assert_eq!(
        sql(&url, "DELETE FROM ledger_schema WHERE version = 7").await,
        ""
    );
    assert_eq!(
        ledger
            .scan(None, 10)
            .await
            .expect("reads")
            .transactions
            .len(),
        1
    );
}

#[tokio::test]
async fn newer_tables_are_refused() {
    let Some((_server, url)) = database().await else {
        return;
    };
    let ledger = open(&url).await;
    assert_eq!(sql(&url, "INSERT INTO ledger_schema VALUES (7)").await, "");
    let connected = PostgresLedger::connect(&url, None, 2)
        .await
        .expect_err("refused");
    for error in [connected, ledger.migrate().await.expect_err("refused")] {
        assert_eq!(error.kind, ErrorKind::Corrupt);
        assert!(
            error.message.contains('7') && error.message.contains("up to 1"),
            "{}",
            error.message
        );
    }
}

#[tokio::test]
async fn a_dead_replica_is_stood_in_for_by_the_primary() {
    let Some((_server, url)) = database().await else {
        return;
    };
    open(&url)
        .await
        .post(&sample::transaction(1))
        .await
        .expect("posts");
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let dead = SecretString::from(format!(
        "postgres://postgres@127.0.0.1:{closed}/none?sslmode=disable"
    ));
    let ledger = PostgresLedger::connect(&url, Some(&dead), 2)
        .await
        .expect("connects");
    let payment = sample::transaction(1).payment;
    let found = tokio::time::timeout(
        Duration::from_secs(30),
        ledger.of_payments(&[payment], false),
    )
    .await
    .expect("in time")
    .expect("reads");
    assert_eq!(found, [sample::transaction(1)]);
}

#[tokio::test]
async fn addresses_with_passwords_are_not_printed() {
    let address = SecretString::from("postgres://user:hunter2@[bad/x".to_owned());
    let error = PostgresLedger::connect(&address, None, 2)
        .await
        .expect_err("not an address");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(!format!("{error:?} {}", error.chain()).contains("hunter2"));
}
