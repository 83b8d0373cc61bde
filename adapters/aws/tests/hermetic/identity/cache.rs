//! Kept sessions: who can read them, and when they are refused.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use payops_aws::identity::{CacheMiss, ForgetScope, Person, RoleSpec, Session, SessionCache};
use payops_core::Timestamp;

use super::{USER, anna, clock, generous, identity, spec, start};

async fn given() -> Session {
    let clock = clock();
    identity(&generous(USER, &clock), &clock)
        .await
        .assume(&spec(), &anna(), None)
        .await
        .expect("assumed")
}

fn minute(minute: u64) -> Timestamp {
    start()
        .checked_add(Duration::from_mins(minute))
        .expect("within range")
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

/// A cache in a folder of its own that holds one session.
async fn filled() -> (tempfile::TempDir, SessionCache) {
    let temp = tempfile::tempdir().expect("a folder");
    let cache = SessionCache::new(temp.path().join("payops/sessions"));
    cache.store(&spec(), &anna(), &given().await).expect("kept");
    (temp, cache)
}

#[tokio::test(start_paused = true)]
async fn a_session_comes_back_and_only_its_owner_can_read_it() {
    let (temp, cache) = filled().await;
    let session = cache.load(&spec(), &anna(), minute(1)).expect("there");
    assert_eq!(
        (session.expires_at, session.credentials().session_token()),
        (minute(60), Some("hush-token"))
    );
    let file = cache.path(&spec(), &anna());
    assert_eq!(
        (mode(&file), mode(&temp.path().join("payops/sessions"))),
        (0o600, 0o700)
    );
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    assert!(!name.contains("prod") && !name.contains("anna"), "{name}");
    let left = std::fs::read_dir(temp.path().join("payops/sessions"))
        .expect("a folder")
        .count();
    assert_eq!(left, 1, "nothing unfinished");
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_within_a_minute_is_refused() {
    let (_temp, cache) = filled().await;
    let at = |seconds| {
        start()
            .checked_add(Duration::from_secs(seconds))
            .expect("within range")
    };
    assert!(cache.load(&spec(), &anna(), at(3539)).is_ok());
    for late in [3540, 3600, 9999] {
        assert_eq!(
            cache.load(&spec(), &anna(), at(late)).err(),
            Some(CacheMiss::Ended),
            "{late}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_can_read_is_refused() {
    let (temp, cache) = filled().await;
    let file = cache.path(&spec(), &anna());
    let load = || cache.load(&spec(), &anna(), minute(1)).err();
    for loose in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&file, Permissions::from_mode(loose)).expect("changed");
        assert!(
            matches!(load(), Some(CacheMiss::Unsafe { path, .. }) if path == file),
            "{loose:o}"
        );
    }
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
    let elsewhere = temp.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).expect("moved");
    symlink(&elsewhere, &file).expect("linked");
    assert!(matches!(
        load(),
        Some(CacheMiss::Unsafe {
            why: "it is a symbolic link",
            ..
        })
    ));
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(load(), Some(CacheMiss::Absent));
    std::fs::set_permissions(
        temp.path().join("payops/sessions"),
        Permissions::from_mode(0o755),
    )
    .expect("changed");
    assert!(
        matches!(load(), Some(CacheMiss::Unsafe { .. })),
        "the folder"
    );
    assert!(
        cache.store(&spec(), &anna(), &given().await).is_err(),
        "nothing is put where others can look"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_user_is_refused() {
    let (_temp, cache) = filled().await;
    // Only root can give a file away.
    if std::os::unix::fs::chown(cache.path(&spec(), &anna()), Some(65_534), None).is_ok() {
        let miss = cache.load(&spec(), &anna(), minute(1)).err();
        assert!(
            matches!(miss, Some(CacheMiss::Unsafe { .. } | CacheMiss::Damaged)),
            "{miss:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_for_something_else_is_refused() {
    let (_temp, cache) = filled().await;
    let load = |spec: &RoleSpec, person: &Person| cache.load(spec, person, minute(1)).err();
    assert_eq!(
        load(
            &RoleSpec {
                session_policy: Some("{}".to_owned()),
                ..spec()
            },
            &anna()
        ),
        Some(CacheMiss::Different)
    );
    assert_eq!(
        load(
            &RoleSpec {
                duration: Duration::from_hours(2),
                ..spec()
            },
            &anna()
        ),
        Some(CacheMiss::Different)
    );
    assert_eq!(
        load(
            &spec(),
            &Person {
                reason: Some("another".to_owned()),
                ..anna()
            }
        ),
        Some(CacheMiss::Different)
    );
    assert_eq!(
        load(
            &RoleSpec {
                access_level: "view".to_owned(),
                ..spec()
            },
            &anna()
        ),
        Some(CacheMiss::Absent)
    );
    assert_eq!(load(&spec(), &Person::new("bo")), Some(CacheMiss::Absent));
    std::fs::write(cache.path(&spec(), &anna()), "{").expect("written");
    assert_eq!(load(&spec(), &anna()), Some(CacheMiss::Damaged));
}

#[tokio::test(start_paused = true)]
async fn sessions_are_forgotten_by_environment_or_all() {
    let (temp, cache) = filled().await;
    let test = RoleSpec {
        env: "test".to_owned(),
        ..spec()
    };
    cache.store(&test, &anna(), &given().await).expect("kept");
    assert_eq!(cache.forget(ForgetScope::Env("prod")).expect("removed"), 1);
    assert_eq!(
        cache.load(&spec(), &anna(), minute(1)).err(),
        Some(CacheMiss::Absent)
    );
    let folder = temp.path().join("payops/sessions");
    std::fs::write(folder.join(".1-1.tmp"), "left by a crash").expect("written");
    std::fs::write(folder.join("notes.txt"), "somebody's").expect("written");
    assert_eq!(cache.forget(ForgetScope::All).expect("removed"), 1);
    assert_eq!(
        std::fs::read_dir(&folder).expect("a folder").count(),
        1,
        "what is not ours stays"
    );
    assert_eq!(
        SessionCache::new(temp.path().join("none"))
            .forget(ForgetScope::All)
            .expect("nothing there"),
        0
    );
}
