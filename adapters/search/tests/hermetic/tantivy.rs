//! The index in a folder: the contract, exactness against the domain's own meaning, several
//! processes.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{ErrorKind, Index as _, UpsertOutcome};
use payops_search::{IndexOptions, TantivyIndex};
use payops_testkit::{ManualClock, conformance, sample};

const AT_ONCE: IndexOptions = IndexOptions {
    commit_every: Duration::ZERO,
};

async fn open(dir: &Path) -> TantivyIndex {
    TantivyIndex::open(dir, AT_ONCE).await.expect("opens")
}

async fn open_collecting(dir: &Path, commit_every: Duration) -> TantivyIndex {
    TantivyIndex::open(dir, IndexOptions { commit_every })
        .await
        .expect("opens")
}

/// This test program again, to run one test in a process of its own.
fn build_child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture"]);
    command.stdout(Stdio::piped());
    command
}

async fn open_fails(dir: &Path) -> ErrorKind {
    let opened = TantivyIndex::open(dir, AT_ONCE).await;
    opened.expect_err("refused").kind
}

fn all() -> SearchQuery {
    SearchQuery::default()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a folder");
    conformance::index::suite(&open(dir.path()).await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_with_collected_commits() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open_collecting(dir.path(), Duration::from_millis(20)).await;
    conformance::index::suite(&index, 1).await;
}

#[tokio::test]
async fn documents_survive_a_restart_and_versions_still_count() {
    let dir = tempfile::tempdir().expect("a folder");
    let doc = PaymentDoc {
        version: 5,
        ..sample::doc(1)
    };
    assert_eq!(
        open(dir.path())
            .await
            .upsert(std::slice::from_ref(&doc))
            .await
            .expect("writes"),
        [UpsertOutcome::Applied]
    );
    let index = open(dir.path()).await;
    let older = PaymentDoc {
        version: 4,
        dead: !doc.dead,
        ..doc.clone()
    };
    assert_eq!(
        index.upsert(&[older]).await.expect("compares"),
        [UpsertOutcome::Stale]
    );
    assert_eq!(
        index.search(&all(), 0, 10).await.expect("finds").docs,
        [doc]
    );
}

#[tokio::test]
async fn a_reader_sees_each_commit_of_the_writer_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(
        TantivyIndex::open_reader(dir.path())
            .await
            .expect_err("no index")
            .kind,
        ErrorKind::NotFound
    );
    let writer = open(dir.path()).await;
    let reader = TantivyIndex::open_reader(dir.path()).await.expect("opens");
    assert_eq!(reader.freshness().await.expect("says").documents, 0);
    for n in 1..20_u64 {
        writer.upsert(&[sample::doc(n)]).await.expect("writes");
        assert_eq!(reader.search(&all(), 0, 1).await.expect("finds").total, n);
        assert_eq!(reader.freshness().await.expect("says").documents, n);
    }
    assert_eq!(
        reader
            .upsert(&[sample::doc(9)])
            .await
            .expect_err("refused")
            .kind,
        ErrorKind::NotWritable
    );
    drop(writer);
    assert_eq!(reader.search(&all(), 0, 1).await.expect("finds").total, 19);
}

/// Run by [`another_process_reads_while_this_one_writes`] in a process of its own.
#[tokio::test]
async fn child_reads() {
    let Some(dir) = std::env::var_os("PAYOPS_TEST_SEARCH_CHILD") else {
        return;
    };
    let dir = Path::new(&dir);
    // The parent writes.
    assert_eq!(open_fails(dir).await, ErrorKind::Unavailable);
    let reader = TantivyIndex::open_reader(dir).await.expect("opens");
    let since = Instant::now();
    while reader.search(&all(), 0, 1).await.expect("finds").total < 60 {
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "the parent's documents do not come"
        );
    }
    println!("SAW ALL");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_reads_while_this_one_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open(dir.path()).await;
    let child = build_child("tantivy::child_reads")
        .env("PAYOPS_TEST_SEARCH_CHILD", dir.path())
        .spawn()
        .expect("starts");
    for n in 0..60 {
        index.upsert(&[sample::doc(n)]).await.expect("writes");
    }
    let output = tokio::task::spawn_blocking(|| child.wait_with_output())
        .await
        .expect("waits")
        .expect("ends");
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("SAW ALL"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_commits_and_each_version_wins_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open_collecting(dir.path(), Duration::from_millis(50)).await;
    let calls = (0..300_u64).map(|n| {
        let index = &index;
        async move {
            index
                .upsert(&[PaymentDoc {
                    version: n % 6 + 1,
                    ..sample::doc(n / 6)
                }])
                .await
                .expect("writes")
        }
    });
    futures::future::join_all(calls).await;
    let found = index.search(&all(), 0, 1_000).await.expect("finds");
    assert_eq!((found.docs.len(), found.total), (50, 50));
    assert!(found.docs.iter().all(|doc| doc.version == 6));
}

#[tokio::test]
async fn documents_of_one_moment_come_in_order_of_id() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open(dir.path()).await;
    let at = ManualClock::start();
    let docs: Vec<_> = (0..40)
        .map(|n| PaymentDoc {
            created_at: at,
            ..sample::doc(n)
        })
        .collect();
    for part in docs.chunks(7) {
        index.upsert(part).await.expect("writes");
    }
    let mut expected = docs;
    expected.sort_by(|a, b| b.id.cmp(&a.id));
    let mut found = Vec::new();
    for offset in (0..40).step_by(9) {
        found.extend(index.search(&all(), offset, 9).await.expect("finds").docs);
    }
    assert_eq!(found, expected);
    let none = index.search(&all(), 0, 0).await.expect("counts");
    assert_eq!((none.docs.len(), none.total), (0, 40));
    assert!(
        index
            .search(&all(), usize::MAX, usize::MAX)
            .await
            .expect("finds nothing")
            .docs
            .is_empty()
    );
}

#[tokio::test]
async fn other_schemas_and_folders_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(open(dir.path()).await);
    let version = dir.path().join("payops-schema-version");
    std::fs::write(&version, "7\n").expect("writes");
    for error in [
        TantivyIndex::open(dir.path(), AT_ONCE).await.err(),
        TantivyIndex::open_reader(dir.path()).await.err(),
    ] {
        let error = error.expect("refused");
        assert_eq!(error.kind, ErrorKind::Corrupt);
        assert!(
            error.message.contains('7') && error.message.contains("up to 1"),
            "{}",
            error.message
        );
    }
    std::fs::remove_file(&version).expect("removes");
    // No longer one of ours.
    assert_eq!(open_fails(dir.path()).await, ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_scan_goes_on_where_it_stopped_while_documents_change() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open(dir.path()).await;
    let mut ids = Vec::new();
    for n in 0..30 {
        let doc = sample::doc(n);
        ids.push(doc.id.clone());
        index.upsert(&[doc]).await.expect("writes");
    }
    ids.sort();
    let mut seen = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = index.scan(from.as_deref(), 4).await.expect("scans");
        seen.extend(page.docs.iter().map(|doc| doc.id.clone()));
        // Every document seen is replaced: it must neither come again nor push others out.
        let newer: Vec<_> = page
            .docs
            .into_iter()
            .map(|doc| PaymentDoc {
                version: doc.version + 1,
                ..doc
            })
            .collect();
        index.upsert(&newer).await.expect("writes");
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn damage_is_reported_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open(dir.path()).await;
    let docs: Vec<_> = (0..3)
        .map(|n| PaymentDoc {
            version: 2,
            ..sample::doc(n)
        })
        .collect();
    index.upsert(&docs).await.expect("writes");
    index.put_raw(&docs[1]).await.expect("doubles");
    index
        .put_raw(&PaymentDoc {
            version: 9,
            ..docs[1].clone()
        })
        .await
        .expect("trebles");
    let of_payment = async || {
        let ids = [docs[1].id.clone()];
        index.of_payments(&ids).await.expect("finds").len()
    };
    assert_eq!(of_payment().await, 3);
    assert_eq!(index.search(&all(), 0, 10).await.expect("finds").total, 5);
    let mut lengths = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = index.scan(from.as_deref(), 2).await.expect("scans");
        lengths.push(page.docs.len());
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(
        lengths,
        [1, 3, 1],
        "the documents of one payment stay together"
    );
    let outcomes = index
        .upsert(&[
            PaymentDoc {
                version: 8,
                ..docs[1].clone()
            },
            PaymentDoc {
                version: 10,
                ..docs[1].clone()
            },
        ])
        .await;
    assert_eq!(
        outcomes.expect("writes"),
        [UpsertOutcome::Stale, UpsertOutcome::Applied],
        "the newest of them counts"
    );
    assert_eq!(of_payment().await, 1, "a newer version mends it");
    index.delete(&docs[1].id).await.expect("deletes");
    assert_eq!(of_payment().await, 0);
    assert_eq!(
        index.upsert(&docs[1..2]).await.expect("writes"),
        [UpsertOutcome::Applied],
        "what is gone has no version"
    );
    let reader = TantivyIndex::open_reader(dir.path()).await.expect("opens");
    assert_eq!(
        reader
            .delete(&docs[0].id)
            .await
            .expect_err("reads only")
            .kind,
        ErrorKind::NotWritable
    );
}

#[tokio::test]
async fn many_small_commits_do_not_make_many_segments() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open(dir.path()).await;
    for n in 0..90_u64 {
        index
            .upsert(&[PaymentDoc {
                version: n + 1,
                ..sample::doc(n % 30)
            }])
            .await
            .expect("writes");
    }
    let segments = || {
        let meta = std::fs::read(dir.path().join("meta.json")).expect("readable");
        serde_json::from_slice::<serde_json::Value>(&meta).expect("JSON")["segments"]
            .as_array()
            .expect("a list")
            .len()
    };
    let few = || async { (segments() <= 16).then_some(()) };
    payops_testkit::eventually(Duration::from_secs(30), "small segments are merged", few).await;
    assert_eq!(index.freshness().await.expect("says").documents, 30);
}

/// Run by [`a_killed_writer_leaves_what_it_answered_and_no_lock`] in a process of its own.
#[tokio::test]
async fn child_writes() {
    let Some(dir) = std::env::var_os("PAYOPS_TEST_SEARCH_WRITER") else {
        return;
    };
    let index = open(Path::new(&dir)).await;
    for n in 0.. {
        index.upsert(&[sample::doc(n)]).await.expect("writes");
        println!("\nWROTE {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_what_it_answered_and_no_lock() {
    use std::io::BufRead as _;
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = build_child("tantivy::child_writes")
        .env("PAYOPS_TEST_SEARCH_WRITER", dir.path())
        .spawn()
        .expect("starts");
    let output = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut wrote = output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("WROTE ")?.parse::<u64>().ok());
    assert!(wrote.by_ref().any(|n| n >= 12), "the child ended by itself");
    // The child writes.
    assert_eq!(open_fails(dir.path()).await, ErrorKind::Unavailable);
    child.kill().expect("killed");
    let last = wrote.last().unwrap_or(12);
    child.wait().expect("ended");
    let index = open(dir.path()).await;
    let ids: Vec<_> = (0..=last).map(|n| sample::doc(n).id).collect();
    assert_eq!(
        index.of_payments(&ids).await.expect("finds").len(),
        ids.len(),
        "everything answered is there"
    );
    assert_eq!(
        index.upsert(&[sample::doc(0)]).await.expect("writes"),
        [UpsertOutcome::Stale]
    );
    index.close().await;
    open(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_is_not_waited_for_by_the_first_after_a_pause() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open_collecting(dir.path(), Duration::from_mins(10)).await;
    index.upsert(&[sample::doc(1)]).await.expect("writes");
    let docs = [sample::doc(2)];
    let second = tokio::time::timeout(Duration::from_millis(300), index.upsert(&docs)).await;
    assert!(second.is_err(), "the second waits for the tick");
    // What was handed in is written even though its caller went away.
    index.close().await;
    assert_eq!(
        open(dir.path())
            .await
            .freshness()
            .await
            .expect("says")
            .documents,
        2
    );
}

#[tokio::test]
async fn after_a_commit_that_failed_the_next_one_works() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = open(dir.path()).await;
    let at = |version| {
        [PaymentDoc {
            version,
            ..sample::doc(1)
        }]
    };
    index.upsert(&at(1)).await.expect("writes");
    // A commit ends by putting a file in this one's place, which nothing can do to a folder.
    let (meta, aside) = (dir.path().join("meta.json"), dir.path().join("aside"));
    std::fs::rename(&meta, &aside).expect("moved");
    std::fs::create_dir(&meta).expect("made");
    let docs = at(2);
    let (one, two) = tokio::join!(index.upsert(&docs), index.upsert(&docs));
    for error in [one, two] {
        assert!(error.expect_err("no commit").is_transient());
    }
    std::fs::remove_dir(&meta).expect("removed");
    std::fs::rename(&aside, &meta).expect("moved back");
    assert_eq!(
        index.search(&all(), 0, 9).await.expect("finds").docs,
        at(1),
        "what was not committed is not found"
    );
    assert_eq!(
        index.upsert(&at(2)).await.expect("writes"),
        [UpsertOutcome::Applied]
    );
    assert_eq!(index.search(&all(), 0, 9).await.expect("finds").docs, at(2));
}

#[tokio::test]
async fn a_full_disk_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    // No file may grow beyond four kilobytes: the list of segments does so first.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact tantivy::child_writes --nocapture";
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().expect("this test"));
    let output = command
        .env("PAYOPS_TEST_SEARCH_WRITER", dir.path())
        .output()
        .expect("runs");
    assert!(!output.status.success());
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("kind: NotWritable"), "{text}");
}
