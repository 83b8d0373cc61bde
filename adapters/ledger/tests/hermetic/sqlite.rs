//! The ledger on SQLite: the contract, double entry kept by the file itself, several processes.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::path::{Path, PathBuf};

use crate::posts::posts_at_once_are_each_written_once;
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Posting;
use payops_core::port::{ErrorKind, Ledger as _, PostOutcome};
use payops_ledger::SqliteLedger;
use payops_testkit::{conformance, sample};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

async fn new_ledger() -> (TempDir, PathBuf, SqliteLedger) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ledger.db");
    let ledger = SqliteLedger::open(&path).await.expect("opens");
    (dir, path, ledger)
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .connect()
        .await
        .expect("connects")
}

/// Runs statements in one transaction, as somebody with the file and a shell would; says how it
/// failed.
async fn sql(path: &Path, statements: &'static str) -> String {
    let mut db = raw(path).await;
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await.expect("begins");
    let done = sqlx::raw_sql(statements).execute(&mut *tx).await;
    match done {
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
    let (_dir, _, ledger) = new_ledger().await;
    conformance::ledger::suite(&ledger, 1).await;
}

#[tokio::test]
async fn the_file_itself_refuses_what_is_not_double_entry() {
    let (_dir, path, ledger) = new_ledger().await;
    assert_eq!(
        ledger.post(&sample::transaction(1)).await.expect("posts"),
        PostOutcome::Posted
    );
    let unsealed = "INSERT INTO transactions (id, payment, kind, reference, merchant, live, currency, at_ms) VALUES (9, 'p', 'charge', 'r', 'm', 0, 'EUR', 0);
        INSERT INTO postings VALUES (9, 0, 'a', 5), (9, 1, 'b', -5);";
    let lone = "INSERT INTO transactions (id, payment, kind, reference, merchant, live, currency, at_ms) VALUES (9, 'p', 'charge', 'r', 'm', 0, 'EUR', 0);
        INSERT INTO postings VALUES (9, 0, 'a', 5); INSERT INTO seals VALUES (9);";
    // 2^33 and -(2^33 - 2^32): the low halves alone would agree.
    let off = "INSERT INTO transactions (id, payment, kind, reference, merchant, live, currency, at_ms) VALUES (9, 'p', 'charge', 'r', 'm', 0, 'EUR', 0);
        INSERT INTO postings VALUES (9, 0, 'a', 8589934592), (9, 1, 'b', -4294967296); INSERT INTO seals VALUES (9);";
    let replace = "INSERT OR REPLACE INTO transactions SELECT id, payment, kind, reference, 'm', \
        live, currency, at_ms FROM transactions";
    let rename = "INSERT OR REPLACE INTO transactions SELECT 9, payment, kind, reference, 'm', \
        live, currency, at_ms FROM transactions";
    let refusals = [
        // Committed without a seal.
        (unsealed, "FOREIGN KEY"),
        (lone, "fewer than two"),
        (off, "sum to zero"),
        (
            "INSERT INTO postings VALUES (1, 7, 'c', 5), (1, 8, 'd', -5)",
            "sealed",
        ),
        ("UPDATE postings SET minor = minor * 2", "UPDATE refused"),
        ("UPDATE transactions SET merchant = 'm'", "UPDATE refused"),
        (
            "DELETE FROM seals; DELETE FROM postings; DELETE FROM transactions",
            "DELETE refused",
        ),
        (replace, "REPLACE refused"),
        (rename, "FOREIGN KEY"),
    ];
    for (statements, refusal) in refusals {
        let said = sql(&path, statements).await;
        assert!(said.contains(refusal), "{statements}: {said}");
    }
    assert_eq!(
        ledger.scan(None, 10).await.expect("reads").transactions,
        [sample::transaction(1)]
    );
}

#[tokio::test]
async fn sums_beyond_64_bits_are_exact() {
    let (_dir, _, ledger) = new_ledger().await;
    let mut huge = sample::transaction(1);
    let minors = [
        i64::MAX,
        i64::MAX,
        -i64::MAX,
        -i64::MAX,
        i64::MIN,
        i64::MAX,
        1,
    ];
    huge.postings = (0..)
        .zip(minors)
        .map(|(n, minor)| Posting {
            account: format!("account:{n}"),
            minor,
        })
        .collect();
    assert_eq!(
        ledger.post(&huge).await.expect("posts"),
        PostOutcome::Posted
    );
    assert_eq!(
        ledger.post(&huge).await.expect("posts"),
        PostOutcome::Already
    );
    let mut off = huge.clone();
    off.reference = "other".into();
    off.postings[6].minor = 2;
    assert_eq!(
        ledger.post(&off).await.expect_err("does not balance").kind,
        ErrorKind::Permanent
    );
}

#[tokio::test]
async fn one_bad_post_does_not_hurt_its_neighbours() {
    let (_dir, _, ledger) = new_ledger().await;
    let posts = (0..60_u64).map(|n| {
        let mut transaction = sample::transaction(n);
        if n % 7 == 3 {
            transaction.postings[0].minor += 1;
        }
        let ledger = &ledger;
        async move { (n, ledger.post(&transaction).await) }
    });
    for (n, outcome) in futures::future::join_all(posts).await {
        match outcome {
            Ok(outcome) => assert!(n % 7 != 3 && outcome == PostOutcome::Posted, "{n}"),
            Err(error) => assert!(
                n % 7 == 3 && error.kind == ErrorKind::Permanent,
                "{n}: {}",
                error.chain()
            ),
        }
    }
    assert_eq!(
        ledger
            .scan(None, 100)
            .await
            .expect("reads")
            .transactions
            .len(),
        60 - (0..60).filter(|n| n % 7 == 3).count()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_openers_of_one_file_agree() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ledger.db");
    let (one, two) = tokio::join!(SqliteLedger::open(&path), SqliteLedger::open(&path));
    let (one, two) = (one.expect("opens"), two.expect("opens"));
    posts_at_once_are_each_written_once([&one, &two], 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_is_either_empty_or_a_ledger_to_whoever_opens_it() {
    let dir = tempfile::tempdir().expect("a folder");
    for round in 0..40 {
        let path = dir.path().join(format!("{round}.db"));
        let openers = (0..4).map(|_| {
            let path = path.clone();
            tokio::spawn(async move { SqliteLedger::open(&path).await.map(drop) })
        });
        for opened in futures::future::join_all(openers).await {
            opened.expect("no panic").expect("opens");
        }
    }
}

/// Run by [`processes_share_a_file`] in processes of their own; does nothing by itself.
#[tokio::test]
async fn child_posts() {
    let Some(path) = std::env::var_os("PAYOPS_TEST_LEDGER_CHILD") else {
        return;
    };
    let ledger = SqliteLedger::open(Path::new(&path)).await.expect("opens");
    for n in 0..40 {
        let outcome = ledger.post(&sample::transaction(n)).await.expect("posts");
        println!(
            "{}",
            if outcome == PostOutcome::Posted {
                "POSTED"
            } else {
                "ALREADY"
            }
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ledger.db");
    let program = std::env::current_exe().expect("this test");
    let spawn = || {
        let mut command = std::process::Command::new(&program);
        command
            .args(["--exact", "sqlite::child_posts", "--nocapture"])
            .env("PAYOPS_TEST_LEDGER_CHILD", &path);
        command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("starts")
    };
    let children: Vec<_> = (0..3).map(|_| spawn()).collect();
    let outputs = children
        .into_iter()
        .map(|child| child.wait_with_output().expect("ends"));
    let said: Vec<_> = outputs
        .map(|output| {
            (
                output.status.success(),
                String::from_utf8_lossy(&output.stdout).into_owned(),
            )
        })
        .collect();
    assert!(said.iter().all(|(success, _)| *success), "{said:?}");
    let count = |word: &str| {
        said.iter()
            .map(|(_, text)| text.matches(word).count())
            .sum::<usize>()
    };
    assert_eq!((count("POSTED"), count("ALREADY")), (40, 80));
    let reader = SqliteLedger::open_read_only(&path).await.expect("opens");
    assert_eq!(
        reader
            .scan(None, 100)
            .await
            .expect("reads")
            .transactions
            .len(),
        40
    );
}

#[tokio::test]
async fn read_only_reads_and_takes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ledger.db");
    assert_eq!(
        SqliteLedger::open_read_only(&path)
            .await
            .expect_err("no file")
            .kind,
        ErrorKind::NotFound
    );
    let ledger = SqliteLedger::open(&path).await.expect("opens");
    ledger.post(&sample::transaction(1)).await.expect("posts");
    let reader = SqliteLedger::open_read_only(&path).await.expect("opens");
    assert_eq!(
        reader
            .post(&sample::transaction(2))
            .await
            .expect_err("refused")
            .kind,
        ErrorKind::NotWritable
    );
    ledger.post(&sample::transaction(3)).await.expect("posts");
    assert_eq!(
        reader
            .scan(None, 10)
            .await
            .expect("reads")
            .transactions
            .len(),
        2,
        "it sees what is written later"
    );
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ledger.db");
    SqliteLedger::open(&path).await.expect("opens");
    raw(&path).await.close().await.expect("closes");
    assert_eq!(sql(&path, "PRAGMA user_version = 7").await, "");
    for error in [
        SqliteLedger::open(&path).await.err(),
        SqliteLedger::open_read_only(&path).await.err(),
    ] {
        let error = error.expect("refused");
        assert_eq!(error.kind, ErrorKind::Corrupt);
        assert!(
            error.message.contains('7') && error.message.contains("up to 1"),
            "{}",
            error.message
        );
    }
    let other = dir.path().join("other.db");
    let mut db = SqliteConnectOptions::new()
        .filename(&other)
        .create_if_missing(true)
        .connect()
        .await
        .expect("connects");
    sqlx::query("CREATE TABLE t (a)")
        .execute(&mut db)
        .await
        .expect("makes a table");
    assert_eq!(
        SqliteLedger::open(&other).await.expect_err("refused").kind,
        ErrorKind::Corrupt
    );
    let text = dir.path().join("text");
    std::fs::write(
        &text,
        "certainly not a database, and long enough to have a header of one \
        hundred bytes, which is what SQLite looks at",
    )
    .expect("writes");
    assert_eq!(
        SqliteLedger::open(&text).await.expect_err("refused").kind,
        ErrorKind::Corrupt
    );
}

#[tokio::test]
async fn posts_outlive_who_asked_and_reads_use_indexes() {
    let (_dir, path, ledger) = new_ledger().await;
    // Dropped after its first poll, when the writer has it: it is written whole or not at all.
    let transaction = sample::transaction(1);
    let mut asked = Box::pin(ledger.post(&transaction));
    assert!(futures::poll!(&mut asked).is_pending());
    drop(asked);
    ledger.post(&sample::transaction(2)).await.expect("posts");
    assert_eq!(
        ledger.post(&transaction).await.expect("posts"),
        PostOutcome::Already
    );
    let mut db = raw(&path).await;
    let query = "EXPLAIN QUERY PLAN SELECT * FROM transactions t WHERE (t.payment, t.kind, t.reference) > ('a', 'b', 'c')
                 ORDER BY t.payment, t.kind, t.reference LIMIT 5";
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(query)
        .fetch_all(&mut db)
        .await
        .expect("explains");
    assert!(
        plan.iter().all(|step| step.3.contains("USING INDEX")),
        "{plan:?}"
    );
    assert!(
        ledger
            .of_payments(&[PaymentId::from_parts(7, 7)], true)
            .await
            .expect("reads")
            .is_empty()
    );
}

#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let (_dir, _, ledger) = new_ledger().await;
    assert_eq!(
        ledger
            .scan(Some("pay_1"), 10)
            .await
            .expect_err("refused")
            .kind,
        ErrorKind::Permanent
    );
}
