//! What is particular to files: permissions, whole files, names that lead nowhere.
#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::future::join_all;
use payops_core::domain::bus::BusEvent;
use payops_core::domain::mail::{Mail, MailKind};
use payops_core::domain::work_item::archive_key;
use payops_core::port::{
    Archive, Bus, ErrorKind, Mailer, PortError, PortResult, PutOutcome, Secrets,
};
use payops_embedded::{EmlMailer, FileArchive, FileSecrets};
use payops_system::OsRandom;
use payops_testkit::{ManualClock, SeededRandom, sample};
use secrecy::{ExposeSecret as _, SecretString};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

/// Counts events; fails those after the first `works`.
struct CountingBus {
    works: usize,
    seen: AtomicUsize,
}

#[async_trait]
impl Bus for CountingBus {
    async fn put(&self, events: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
        let before = self.seen.fetch_add(events.len(), Ordering::SeqCst);
        let fail = || PortError::new(ErrorKind::Unavailable, "the bus is down");
        Ok(events
            .iter()
            .map(|_| {
                if before < self.works {
                    Ok(())
                } else {
                    Err(fail())
                }
            })
            .collect())
    }
}

fn archive(folder: &Path, works: usize) -> (FileArchive, Arc<CountingBus>) {
    let bus = Arc::new(CountingBus {
        works,
        seen: AtomicUsize::new(0),
    });
    let archive = FileArchive::open(
        folder,
        Arc::clone(&bus) as Arc<dyn Bus>,
        Arc::new(ManualClock::new()),
        Arc::new(OsRandom),
    );
    (archive.expect("open"), bus)
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_objects_are_private_and_leave_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = archive(folder.path(), usize::MAX);
    let key = archive_key(&sample::payment_id(1));
    let bodies: Vec<Vec<u8>> = (0..20).map(|i| vec![b'x'; i]).collect();
    join_all(bodies.iter().map(|body| archive.put_if_absent(&key, body))).await;
    let files = files(folder.path());
    assert_eq!(files.len(), 1, "one object, no temporary files: {files:?}");
    assert_eq!(mode(&files[0]), 0o600);
    assert_eq!(mode(folder.path().join("objects").as_path()), 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_archives_on_one_folder_create_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, one_bus) = archive(folder.path(), usize::MAX);
    let (two, two_bus) = archive(folder.path(), usize::MAX);
    for i in 0..40 {
        let key = archive_key(&sample::payment_id(i));
        let (first, second) = tokio::join!(
            one.put_if_absent(&key, b"one"),
            two.put_if_absent(&key, b"two")
        );
        let created = [first.expect("put"), second.expect("put")]
            .into_iter()
            .filter(|outcome| *outcome == PutOutcome::Created)
            .count();
        assert_eq!(created, 1, "{key}");
    }
    assert_eq!(
        one_bus.seen.load(Ordering::SeqCst) + two_bus.seen.load(Ordering::SeqCst),
        40,
        "one event for each object"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_could_not_be_put_leaves_the_object_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = archive(folder.path(), 0);
    let key = archive_key(&sample::payment_id(1));
    let error = archive
        .put_if_absent(&key, b"body")
        .await
        .expect_err("not announced");
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{}", error.chain());
    let again = archive.put_if_absent(&key, b"body").await.expect("put");
    assert!(
        matches!(again, PutOutcome::Exists { .. }),
        "the caller finds it and goes on by itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_whose_caller_goes_away_is_announced_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, bus) = archive(folder.path(), usize::MAX);
    let key = archive_key(&sample::payment_id(1));
    let mut put = archive.put_if_absent(&key, b"body");
    assert!(futures::poll!(&mut put).is_pending());
    drop(put);
    let announced = || async { (bus.seen.load(Ordering::SeqCst) == 1).then_some(()) };
    payops_testkit::eventually(std::time::Duration::from_secs(10), "the event", announced).await;
    assert_eq!(
        archive.get(&key).await.expect("get").as_deref(),
        Some(&b"body"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn any_key_is_listed_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = archive(folder.path(), usize::MAX);
    let mut keys = [
        "a",
        "a-b",
        "a/b",
        "a.b",
        "ab",
        "payments/pay_01JD5..x",
        "payments/pay_01JD5.x",
        "payments/zzz.json",
        "z/y/x/w/v/u/t",
    ];
    for key in keys {
        assert_eq!(
            archive.put_if_absent(key, b"").await.expect("put"),
            PutOutcome::Created,
            "{key}"
        );
    }
    keys.sort_unstable();
    let mut found = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = archive.list(from.as_deref(), 1).await.expect("list");
        found.extend(page.objects.into_iter().map(|head| head.key));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found, keys);
    let error = archive
        .get("payments/../../etc/passwd")
        .await
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Permanent);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_whole_messages_that_nothing_can_be_smuggled_into() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = "receipts@payops.example".parse().expect("an address");
    let mailer = EmlMailer::open(
        folder.path(),
        from,
        Arc::new(ManualClock::new()),
        Arc::new(SeededRandom::new(1)),
    )
    .expect("open");
    let mail = Mail {
        kind: MailKind::Receipt,
        name: "../../pay/1".to_owned(),
        to: "björn@münchen.example".parse().expect("an address"),
        subject: "Receipt\r\nBcc: spy@example.com".to_owned(),
        text: "one\n.\ntwo\n".to_owned(),
    };
    let name = mailer.send(&mail).await.expect("send");
    assert!(
        name.starts_with("receipt-______pay_1-") && name.strip_suffix(".eml").is_some(),
        "{name}"
    );
    let path = folder.path().join(&name);
    let text = fs::read_to_string(&path).expect("UTF-8");
    assert!(
        text.contains("To: ") && text.contains("<björn@münchen.example>"),
        "{text}"
    );
    assert!(
        text.contains("From: ") && text.contains("<receipts@payops.example>"),
        "{text}"
    );
    assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    assert!(text.contains("Date: Sun, 22 Nov 2026 12:00:00"), "{text}");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(files(folder.path()), [path], "no temporary file stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_others_can_read_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets =
        FileSecrets::open(&folder.path().join("secrets"), Arc::new(OsRandom)).expect("open");
    let path = folder.path().join("secrets").join("pepper");
    assert!(
        secrets
            .put_if_absent("pepper", SecretString::from("value\n"))
            .await
            .expect("put")
    );
    assert!(
        !secrets
            .put_if_absent("pepper", SecretString::from("other"))
            .await
            .expect("put"),
        "a secret is not written over"
    );
    assert_eq!(
        secrets.get("pepper").await.expect("get").expose_secret(),
        "value"
    );
    assert_eq!(mode(&path), 0o600);
    for open in [0o640, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("chmod");
        let error = secrets.get("pepper").await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Denied);
        assert!(
            error.message.contains("chmod 600") && !error.chain().contains("value"),
            "{}",
            error.chain()
        );
    }
    for bad in ["", "../pepper", ".hidden", "a/b"] {
        assert_eq!(
            secrets.get(bad).await.expect_err("refused").kind,
            ErrorKind::Permanent,
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_a_secret_all_get_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = FileSecrets::open(folder.path(), Arc::new(OsRandom)).expect("open");
    let made = join_all((0..16).map(|_| secrets.get_or_create("cursor-key"))).await;
    let made: Vec<String> = made
        .into_iter()
        .map(|secret| secret.expect("made").expose_secret().to_owned())
        .collect();
    assert_eq!(made[0].len(), 64);
    assert!(
        made.iter().all(|secret| *secret == made[0]),
        "different secrets were given"
    );
    assert_eq!(files(folder.path()).len(), 1, "no temporary file stays");
}
