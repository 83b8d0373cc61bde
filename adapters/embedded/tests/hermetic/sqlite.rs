//! What is particular to SQLite files: versions, read-only files, several processes, crashes.
#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use payops_core::domain::machine::Command;
use payops_core::domain::payment::{Payment, Status};
use payops_core::port::{
    Accepted, Committed, ErrorKind, KeyStore as _, Outgoing, PaymentStore as _, PortResult,
    QueueAdmin as _, Queues as _,
};
use payops_embedded::{QueueConfig, SqliteQueues, SqliteStore};
use payops_system::OsRandom;
use payops_testkit::{ManualClock, sample};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store.db")
    }

    fn queues(&self) -> PathBuf {
        self.0.path().join("queues.db")
    }
}

async fn store(path: &Path) -> PortResult<SqliteStore> {
    SqliteStore::open(path, Arc::new(ManualClock::new())).await
}

async fn queues(path: &Path) -> SqliteQueues {
    let queues = SqliteQueues::open(path, Arc::new(ManualClock::new()), Arc::new(OsRandom))
        .await
        .expect("open");
    queues.create_platform_queues(5).await.expect("queues");
    queues
}

async fn tamper(path: &Path, sql: &str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .expect("connect");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .expect("tamper");
    connection.close().await.expect("close");
}

async fn accept(store: &SqliteStore, n: u64) -> PortResult<Accepted> {
    store
        .accept(&sample::acceptance(n, ManualClock::start()))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = Folder::new();
    let first = store(&folder.store()).await.expect("open");
    accept(&first, 1).await.expect("accept");
    first.close().await;
    tamper(&folder.store(), "PRAGMA user_version = 9").await;
    for opened in [
        store(&folder.store()).await,
        SqliteStore::open_read_only(&folder.store(), Arc::new(ManualClock::new())).await,
    ] {
        let Err(error) = opened else {
            unreachable!("a newer file was opened")
        };
        assert_eq!(error.kind, ErrorKind::Corrupt);
        let text = error.chain();
        assert!(
            text.contains("version 9") && text.contains("up to 1") && text.contains("newer payops"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_kind_is_refused() {
    let folder = Folder::new();
    queues(&folder.queues()).await.close().await;
    let Err(error) = store(&folder.queues()).await else {
        unreachable!("a queue file was opened as a store")
    };
    assert_eq!(error.kind, ErrorKind::Corrupt, "{}", error.chain());
    std::fs::write(folder.store(), "x".repeat(5000)).expect("write");
    let Err(error) = store(&folder.store()).await else {
        unreachable!("no database was opened")
    };
    assert_eq!(error.kind, ErrorKind::Corrupt, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_opened_for_reading_takes_no_writes() {
    let folder = Folder::new();
    let clock = || Arc::new(ManualClock::new());
    let Err(error) = SqliteStore::open_read_only(&folder.store(), clock()).await else {
        unreachable!("nothing was opened")
    };
    assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());

    let writer = store(&folder.store()).await.expect("open");
    accept(&writer, 1).await.expect("accept");
    let reader = SqliteStore::open_read_only(&folder.store(), clock())
        .await
        .expect("open");
    accept(&writer, 2).await.expect("accept");
    assert!(
        reader
            .get(&sample::payment_id(2))
            .await
            .expect("get")
            .is_some(),
        "a reader sees what is written meanwhile"
    );
    assert_eq!(
        accept(&reader, 3).await.expect_err("refused").kind,
        ErrorKind::NotWritable
    );
    assert_eq!(
        reader
            .put_key(&sample::api_key(1))
            .await
            .expect_err("refused")
            .kind,
        ErrorKind::NotWritable
    );
    writer.close().await;
    drop(reader);
    let alone = SqliteStore::open_read_only(&folder.store(), clock())
        .await
        .expect("open after the writer has gone");
    assert!(
        alone
            .get(&sample::payment_id(1))
            .await
            .expect("get")
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cannot_be_read_are_corrupt() {
    let folder = Folder::new();
    let store = store(&folder.store()).await.expect("open");
    accept(&store, 1).await.expect("accept");
    for change in [
        "status = 'unheard-of'",
        "status = 'processing', refunds = '{'",
        "refunds = '[]', currency = 'XYZ'",
    ] {
        tamper(&folder.store(), &format!("UPDATE payments SET {change}")).await;
        let error = store
            .get(&sample::payment_id(1))
            .await
            .expect_err("corrupt");
        assert_eq!(error.kind, ErrorKind::Corrupt, "{}", error.chain());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_in_two_processes_lose_nothing() {
    let folder = Folder::new();
    let path = folder.store();
    let (one, two) = tokio::join!(store(&path), store(&path));
    let (one, two) = (one.expect("open"), two.expect("open"));
    let through = |i: usize| [&one, &two][i % 2];
    let accepted = (0..400).enumerate();
    let outcomes = join_all(accepted.map(|(i, n)| accept(through(i), n))).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(Accepted::New))),
        "{:?}",
        outcomes.iter().find(|o| o.is_err())
    );
    assert_eq!(
        one.counts().await.expect("counts").get(&Status::Processing),
        Some(&400)
    );

    // The same key through both: one payment.
    let (now, key) = (ManualClock::start(), "the-key");
    let same: Vec<_> = (1000..1032)
        .map(|n| sample::accept_payment(&sample::payment(n), key, now))
        .collect();
    let accepted = same.iter().enumerate();
    let outcomes = join_all(accepted.map(|(i, acceptance)| through(i).accept(acceptance))).await;
    let new = |outcome: &&_| matches!(outcome, Ok(Accepted::New));
    let taken = |outcome: &&_| matches!(outcome, Ok(Accepted::KeyTaken(_)));
    assert_eq!(outcomes.iter().filter(new).count(), 1);
    assert_eq!(outcomes.iter().filter(taken).count(), 31);

    // One version through both: one change.
    let payment = two
        .get(&sample::payment_id(5))
        .await
        .expect("get")
        .expect("there");
    let changes: Vec<_> = (0..16)
        .map(|i| sample::change(&payment, sample::claim(&format!("w{i}")), now))
        .collect();
    let committed = changes.iter().enumerate();
    let outcomes = join_all(committed.map(|(i, change)| through(i).commit(change))).await;
    let done = |outcome: &&_| matches!(outcome, Ok(Committed::Done));
    assert_eq!(outcomes.iter().filter(done).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_operation_in_a_group_spoils_no_other() {
    let folder = Folder::new();
    let store = store(&folder.store()).await.expect("open");
    // More may not be refundable than was paid: the table refuses this one, in the midst of good
    // ones.
    let acceptances: Vec<_> = (0..60)
        .map(|n| {
            let mut acceptance = sample::acceptance(n, ManualClock::start());
            if n % 3 == 0 {
                acceptance.payment.refundable_minor = i64::MAX;
            }
            acceptance
        })
        .collect();
    let outcomes = join_all(
        acceptances
            .iter()
            .map(|acceptance| store.accept(acceptance)),
    )
    .await;
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(
            matches!(outcome, Ok(Accepted::New)),
            n % 3 != 0,
            "{n}: {outcome:?}"
        );
        let there = store
            .get(&acceptances[n].payment.id)
            .await
            .expect("get")
            .is_some();
        assert_eq!(there, n % 3 != 0);
        let key = store
            .idempotency(&acceptances[n].idempotency.scope, ManualClock::start())
            .await
            .expect("idempotency");
        assert_eq!(
            key.is_some(),
            n % 3 != 0,
            "nothing of a failed operation stays"
        );
    }
    assert_eq!(
        outcomes[0].as_ref().expect_err("refused").kind,
        ErrorKind::Permanent
    );
    assert_eq!(
        store
            .counts()
            .await
            .expect("counts")
            .get(&Status::Processing),
        Some(&40)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_follow_every_change() {
    let folder = Folder::new();
    let store = store(&folder.store()).await.expect("open");
    for n in 0..5 {
        accept(&store, n).await.expect("accept");
    }
    let now = ManualClock::start();
    for n in 0..2 {
        let payment = store
            .get(&sample::payment_id(n))
            .await
            .expect("get")
            .expect("there");
        let claimed = sample::change(&payment, sample::claim("w"), now);
        assert_eq!(
            store.commit(&claimed).await.expect("commit"),
            Committed::Done
        );
        let charged = sample::change(
            &claimed.payment,
            Command::Approved(sample::charge(n, now)),
            now,
        );
        assert_eq!(
            store.commit(&charged).await.expect("commit"),
            Committed::Done
        );
    }
    let counts: Vec<_> = store.counts().await.expect("counts").into_iter().collect();
    assert_eq!(counts, [(Status::Processing, 3), (Status::Completed, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_idempotency_rows_are_cleared_away() {
    let folder = Folder::new();
    let clock = ManualClock::new();
    let store = SqliteStore::open(&folder.store(), Arc::new(clock.clone()))
        .await
        .expect("open");
    for n in 0..10 {
        accept(&store, n).await.expect("accept");
    }
    assert_eq!(store.purge_expired(100).await.expect("purge"), 0);
    clock.advance(Duration::from_hours(25));
    assert_eq!(store.purge_expired(4).await.expect("purge"), 4);
    assert_eq!(store.purge_expired(100).await.expect("purge"), 6);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Whether everything that accepting writes is there, or nothing. Anything between is a broken
/// promise.
async fn whole(store: &SqliteStore, payment: &Payment, n: u64) -> bool {
    let scope = sample::acceptance(n, ManualClock::start())
        .idempotency
        .scope;
    let there = store.get(&payment.id).await.expect("get").is_some();
    let events = store.events(&payment.id).await.expect("events").len();
    let key = store
        .idempotency(&scope, ManualClock::start())
        .await
        .expect("idempotency")
        .is_some();
    let outbox = store
        .outbox_pending(payment.id.shard(), 10_000)
        .await
        .expect("outbox");
    let rows = outbox
        .iter()
        .filter(|row| row.payment == payment.id)
        .count();
    assert_eq!(
        (events, key, rows),
        if there { (1, true, 1) } else { (0, false, 0) },
        "payment {n} is half-written"
    );
    there
}

#[test]
fn what_was_answered_survives_the_end_of_the_process_and_nothing_is_half_written() {
    let folder = Folder::new();
    let path = folder.store();
    let mut answered = BTreeSet::new();
    for round in 0..3_u64 {
        let (tell, told) = std::sync::mpsc::channel();
        let runtime = runtime();
        let opened = path.clone();
        runtime.spawn(async move {
            let store = Arc::new(store(&opened).await.expect("open"));
            for n in (round * 1000)..(round * 1000 + 500) {
                let (store, tell) = (Arc::clone(&store), tell.clone());
                tokio::spawn(async move {
                    if matches!(accept(&store, n).await, Ok(Accepted::New)) {
                        let _ = tell.send(n);
                    }
                });
            }
        });
        // Some have been answered, most have not: the runtime ends with writes under way.
        answered.extend((0..20).map(|_| {
            told.recv_timeout(Duration::from_mins(1))
                .expect("an answer")
        }));
        runtime.shutdown_background();
        answered.extend(told.iter());
    }
    runtime().block_on(async {
        let store = store(&path).await.expect("open again");
        let mut found = 0;
        for n in (0..3).flat_map(|round| (round * 1000)..(round * 1000 + 500)) {
            let there = whole(&store, &sample::payment(n), n).await;
            assert!(
                there || !answered.contains(&n),
                "payment {n} was answered and is gone"
            );
            found += u64::from(there);
        }
        assert!(answered.len() >= 60, "{} answers", answered.len());
        assert_eq!(
            store
                .counts()
                .await
                .expect("counts")
                .get(&Status::Processing),
            Some(&found)
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_at_any_point_leaves_all_or_nothing() {
    let folder = Folder::new();
    let store = store(&folder.store()).await.expect("open");
    let mut applied = 0_u32;
    for n in 0..60_u64 {
        let acceptance = sample::acceptance(n, ManualClock::start());
        let mut call = store.accept(&acceptance);
        // Polled n times at most, then dropped.
        for _ in 0..n % 4 {
            if futures::poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
    }
    // The writer takes operations in order: when this one is answered, those before are done.
    accept(&store, 999).await.expect("accept");
    for n in 0..60 {
        applied += u32::from(whole(&store, &sample::payment(n), n).await);
    }
    assert!(
        applied > 0 && applied < 60,
        "{applied} of 60 were applied: both kinds must occur"
    );
    assert!(
        !whole(&store, &sample::payment(0), 0).await,
        "a call that was never polled does nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_file_takes_nothing_more_and_has_everything() {
    let folder = Folder::new();
    let first = store(&folder.store()).await.expect("open");
    let acceptances: Vec<_> = (0..50)
        .map(|n| sample::acceptance(n, ManualClock::start()))
        .collect();
    let (outcomes, ()) = tokio::join!(
        join_all(
            acceptances
                .iter()
                .map(|acceptance| first.accept(acceptance))
        ),
        first.close()
    );
    let written = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Accepted::New)))
        .count();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().map_or_else(
        |error| error.kind == ErrorKind::Unavailable,
        |o| *o == Accepted::New
    )));
    assert_eq!(
        accept(&first, 99).await.expect_err("closed").kind,
        ErrorKind::Unavailable
    );
    let again = store(&folder.store()).await.expect("open");
    let count = again
        .counts()
        .await
        .expect("counts")
        .get(&Status::Processing)
        .copied()
        .unwrap_or(0);
    assert_eq!(usize::try_from(count).expect("few"), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_by_another_process_is_seen_and_received_once() {
    let folder = Folder::new();
    let one = queues(&folder.queues()).await;
    let two = queues(&folder.queues()).await;
    let waiting = one.receive(
        "payments-work",
        10,
        Duration::from_mins(1),
        Duration::from_secs(20),
    );
    let sending = async {
        // The receive looks and finds nothing before this is sent, most of the time.
        tokio::time::sleep(Duration::from_millis(50)).await;
        two.send(
            "payments-work",
            Outgoing {
                body: "hello".to_owned(),
                ..Outgoing::default()
            },
        )
        .await
        .expect("send")
    };
    let (received, id) = tokio::join!(waiting, sending);
    assert_eq!(received.expect("receive")[0].message_id, id);

    let bodies: Vec<_> = (0..100)
        .map(|i| Outgoing {
            body: format!("m{i}"),
            ..Outgoing::default()
        })
        .collect();
    for batch in bodies.chunks(10) {
        two.send_batch("payments-work", batch.to_vec())
            .await
            .expect("send");
    }
    let receivers = (0..16).map(|i| {
        (if i % 2 == 0 { &one } else { &two }).receive(
            "payments-work",
            10,
            Duration::from_mins(1),
            Duration::ZERO,
        )
    });
    let received: Vec<_> = join_all(receivers)
        .await
        .into_iter()
        .flat_map(|received| received.expect("receive"))
        .collect();
    let ids: BTreeSet<_> = received.iter().map(|message| &message.message_id).collect();
    assert_eq!(
        (received.len(), ids.len()),
        (100, 100),
        "each message was received once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_survive_a_restart_and_are_dropped_after_their_retention() {
    let folder = Folder::new();
    let clock = ManualClock::new();
    let path = folder.queues();
    let open = || SqliteQueues::open(&path, Arc::new(clock.clone()), Arc::new(OsRandom));
    let first = open().await.expect("open");
    first
        .create_queue("dead", QueueConfig::dead_letters())
        .await
        .expect("a queue");
    first
        .create_queue("work", QueueConfig::source("dead", 3))
        .await
        .expect("a queue");
    let message = Outgoing {
        body: "kept".to_owned(),
        ..Outgoing::default()
    };
    first.send("work", message.clone()).await.expect("send");
    first.send("dead", message).await.expect("send");
    let taken = first
        .receive("work", 1, Duration::from_mins(1), Duration::ZERO)
        .await
        .expect("receive");
    first.close().await;

    let again = open().await.expect("open again");
    assert_eq!(again.stats("work").await.expect("stats").in_flight, 1);
    assert!(
        again
            .change_visibility("work", &taken[0].receipt, Duration::ZERO)
            .await
            .expect("change"),
        "receipts outlive the process"
    );
    clock.advance(Duration::from_hours(4 * 24));
    assert_eq!(
        again.stats("work").await.expect("stats").visible,
        0,
        "four days in a source queue"
    );
    assert!(
        again
            .receive("work", 1, Duration::from_mins(1), Duration::ZERO)
            .await
            .expect("receive")
            .is_empty()
    );
    assert_eq!(
        again.stats("dead").await.expect("stats").visible,
        1,
        "fourteen in a dead-letter queue"
    );
    clock.advance(Duration::from_hours(10 * 24));
    assert!(
        again
            .browse("dead", 10)
            .await
            .expect("browse")
            .messages
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_needs_its_dead_letter_queue() {
    let folder = Folder::new();
    let queues = SqliteQueues::open(
        &folder.queues(),
        Arc::new(ManualClock::new()),
        Arc::new(OsRandom),
    )
    .await
    .expect("open");
    let error = queues
        .create_queue("work", QueueConfig::source("absent", 3))
        .await
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());
    assert!(queues.names().await.expect("names").is_empty());
}
