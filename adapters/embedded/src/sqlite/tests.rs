//! The writer when the medium fails: who is told what, and that it goes on afterwards.
use futures::FutureExt as _;
use futures::future::join_all;

use super::*;

static SCHEMA: Schema = Schema {
    kind: "test file",
    application: 7,
    scripts: &["CREATE TABLE held (n INTEGER PRIMARY KEY, body TEXT) STRICT"],
};

async fn file(folder: &tempfile::TempDir) -> File {
    File::open(&folder.path().join("test.db"), &SCHEMA)
        .await
        .expect("open")
}

async fn run(file: &File, sql: &'static str) -> PortResult<()> {
    let what = |error| query_error("running a test's statement", error);
    file.write(move |connection| {
        async move {
            sqlx::raw_sql(sql)
                .execute(connection)
                .await
                .map(drop)
                .map_err(what)
        }
        .boxed()
    })
    .await
}

async fn insert(file: &File, n: i64, bytes: usize) -> PortResult<()> {
    let body = "x".repeat(bytes);
    let insert = file.write(move |connection| {
        async move {
            let query = sqlx::query("INSERT INTO held (n, body) VALUES (?1, ?2)")
                .bind(n)
                .bind(body);
            query
                .execute(connection)
                .await
                .map(drop)
                .map_err(|error| query_error("inserting", error))
        }
        .boxed()
    });
    insert.await
}

async fn count_rows(file: &File) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM held")
        .fetch_one(file.readers())
        .await
        .expect("count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_medium_is_told_and_the_writer_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder).await;
    insert(&file, 1, 10).await.expect("room");
    run(&file, "PRAGMA max_page_count = 5")
        .await
        .expect("a limit");
    let error = insert(&file, 2, 1_000_000).await.expect_err("full");
    assert_eq!(error.kind, ErrorKind::NotWritable, "{}", error.chain());

    // A full medium ends the whole transaction: the neighbours either failed with it or were
    // written.
    run(&file, "PRAGMA max_page_count = 5")
        .await
        .expect("a limit");
    let outcomes =
        join_all((10..40).map(|n| insert(&file, n, if n == 20 { 1_000_000 } else { 10 }))).await;
    assert!(outcomes[10].is_err());
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(
        count_rows(&file).await,
        int(written) + 1,
        "what was answered with Ok is there, and nothing else"
    );
    let kinds: Vec<ErrorKind> = outcomes
        .iter()
        .filter_map(|outcome| Some(outcome.as_ref().err()?.kind))
        .collect();
    assert!(
        kinds.iter().all(|kind| *kind == ErrorKind::NotWritable),
        "each is told of the medium, the neighbours too: {kinds:?}"
    );

    run(&file, "PRAGMA max_page_count = 100000")
        .await
        .expect("no limit");
    insert(&file, 100, 1_000_000).await.expect("room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_medium_is_not_writable() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder).await;
    run(&file, "PRAGMA query_only = ON").await.expect("set");
    let error = insert(&file, 1, 10).await.expect_err("read-only");
    assert_eq!(error.kind, ErrorKind::NotWritable, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_locked_by_another_process_is_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.db");
    let first = file(&folder).await;
    let mut other = connect(&options(&path).busy_timeout(Duration::from_millis(20)))
        .await
        .expect("connect");
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let holding = first.write(move |_| {
        async move {
            let _ = locked.send(());
            let _ = released.await;
            Ok(())
        }
        .boxed()
    });
    let trying = async {
        is_locked.await.expect("the first holds the lock");
        let error = sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut other)
            .await
            .expect_err("busy");
        assert_eq!(query_error("beginning", error).kind, ErrorKind::Unavailable);
        release.send(()).expect("waiting");
    };
    let (held, ()) = tokio::join!(holding, trying);
    held.expect("committed");
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .expect("free again");
}
