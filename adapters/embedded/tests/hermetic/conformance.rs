//! Every embedded adapter against the suite of its port.
#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use payops_core::port::Queues;
use payops_embedded::{
    EmbeddedBus, EmlMailer, EnvSecrets, FileArchive, FileSecrets, QueueConfig, SqliteQueues,
    SqliteStore,
};
use payops_system::{OsRandom, SystemClock};
use payops_testkit::conformance::{self, queues::Fixture};
use payops_testkit::{ManualClock, SeededRandom};
use secrecy::SecretString;

fn random() -> Arc<SeededRandom> {
    Arc::new(SeededRandom::new(7))
}

async fn open_store(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("store.db"), Arc::new(ManualClock::new()))
        .await
        .expect("open")
}

async fn queues(folder: &Path, clock: &ManualClock) -> SqliteQueues {
    let queues = SqliteQueues::open(&folder.join("queues.db"), Arc::new(clock.clone()), random())
        .await
        .expect("open");
    queues.create_platform_queues(3).await.expect("queues");
    queues
}

#[tokio::test(flavor = "multi_thread")]
async fn store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open_store(folder.path()).await;
    conformance::store::suite(&store, 1).await;
    // On a store that holds another run's rows too.
    conformance::store::suite(&store, payops_testkit::fresh_salt()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open_store(folder.path()).await;
    conformance::keys::suite(&store, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_by_a_clock_to_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let queues = queues(folder.path(), &clock).await;
    let fifo = QueueConfig {
        fifo: true,
        ..QueueConfig::dead_letters()
    };
    queues
        .create_queue("ordered.fifo", fifo)
        .await
        .expect("a FIFO queue");
    let advance = move |by: Duration| clock.advance(by);
    let fixture = Fixture {
        queue: "payments-work",
        dlq: "payments-work-dlq",
        max_receives: 3,
        fifo: Some("ordered.fifo"),
        salt: 1,
        advance: Some(&advance),
    };
    conformance::queues::suite(&queues, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_by_the_machines_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let queues = SqliteQueues::open(
        &folder.path().join("queues.db"),
        Arc::new(SystemClock),
        Arc::new(OsRandom),
    )
    .await
    .expect("open");
    queues.create_platform_queues(4).await.expect("queues");
    let fixture = Fixture {
        queue: "projections",
        dlq: "projections-dlq",
        max_receives: 4,
        fifo: None,
        salt: 1,
        advance: None,
    };
    conformance::queues::suite(&queues, &fixture).await;
}

fn bus(queues: &Arc<dyn Queues>, clock: &ManualClock) -> EmbeddedBus {
    EmbeddedBus::new(Arc::clone(queues), Arc::new(clock.clone()), random())
}

#[tokio::test(flavor = "multi_thread")]
async fn bus_reaches_the_queues_that_its_rules_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let queues: Arc<dyn Queues> = Arc::new(queues(folder.path(), &clock).await);
    conformance::bus::suite(&bus(&queues, &clock), &*queues, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let queues: Arc<dyn Queues> = Arc::new(queues(folder.path(), &clock).await);
    let bus = Arc::new(bus(&queues, &clock));
    let archive = FileArchive::open(
        &folder.path().join("archive"),
        bus,
        Arc::new(clock),
        random(),
    )
    .expect("open");
    conformance::archive::suite(&archive, 1, Some((&*queues, "payments-work"))).await;
    conformance::archive::suite(&archive, 2, Some((&*queues, "payments-work"))).await;
}

/// How many whole mails in `folder` hold `word`.
fn mails_with(folder: &Path, word: &str) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mails = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "eml"));
    mails
        .filter(|path| {
            String::from_utf8_lossy(&std::fs::read(path).expect("a mail")).contains(word)
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn mailer() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = "receipts@payops.example".parse().expect("an address");
    let mailer =
        EmlMailer::open(folder.path(), from, Arc::new(ManualClock::new()), random()).expect("open");
    let path = folder.path().to_owned();
    let sent = move |word: String| {
        let count = mails_with(&path, &word);
        async move { count }.boxed()
    };
    conformance::mailer::suite(&mailer, 1, Some(&sent)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = FileSecrets::open(&folder.path().join("secrets"), random()).expect("open");
    assert!(
        files
            .put_if_absent("pepper", SecretString::from("s3cret-Value"))
            .await
            .expect("put")
    );
    conformance::secrets::suite(&files, "pepper", "s3cret-Value").await;
    let environment = EnvSecrets::from_lookup(|name| {
        (name == "PAYOPS_SECRET_API_PEPPER").then(|| "s3cret-Value".to_owned())
    });
    conformance::secrets::suite(&environment, "api-pepper", "s3cret-Value").await;
}
