//! The record as a file.

use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;
use payops_core::domain::audit::ChainBreakKind;

use super::*;

fn entry(who: &str) -> AuditEntry {
    AuditEntry::new(Timestamp::UNIX_EPOCH, who, "prod", "reveal").reason("ticket")
}

fn log() -> (tempfile::TempDir, FileAuditLog) {
    let temp = tempfile::tempdir().expect("a folder");
    let log = FileAuditLog {
        dir: temp.path().join("records"),
    };
    (temp, log)
}

fn filled(count: usize) -> (tempfile::TempDir, FileAuditLog, Vec<String>) {
    let (temp, log) = log();
    for number in 0..count {
        append(&log.dir, &entry(&format!("anna-{number}"))).expect("written");
    }
    let text = fs::read_to_string(log.path()).expect("read");
    (temp, log, text.lines().map(str::to_owned).collect())
}

fn rewritten(log: &FileAuditLog, lines: &[String]) -> Result<Verified, ChainBreak> {
    let text = lines.join("\n") + "\n";
    fs::write(log.path(), text).expect("written");
    log.verify().expect("read").expect("there")
}

#[test]
fn lines_are_added_for_their_owner_alone_and_hang_together() {
    let (_temp, log, lines) = filled(3);
    assert_eq!(lines.len(), 3);
    let mode = |name: &str| {
        fs::metadata(log.dir.join(name))
            .expect("there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(FILE), 0o600);
    let verified = log.verify().expect("read").expect("there").expect("whole");
    assert_eq!((verified.legacy, verified.entries), (0, 3));
}

#[test]
fn every_change_names_its_line() {
    let (_temp, log, lines) = filled(5);
    let mut changed = lines.clone();
    changed[2] = changed[2].replace("anna-2", "otto-2");
    let broken = rewritten(&log, &changed).expect_err("changed");
    assert_eq!((broken.line, broken.kind), (3, ChainBreakKind::Changed));

    let mut removed = lines.clone();
    removed.remove(1);
    let broken = rewritten(&log, &removed).expect_err("removed");
    assert_eq!(
        (broken.line, broken.kind),
        (2, ChainBreakKind::Removed { missing: 1 })
    );

    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let broken = rewritten(&log, &swapped).expect_err("swapped");
    assert_eq!((broken.line, broken.kind), (2, ChainBreakKind::Reordered));

    let broken = rewritten(&log, &lines[..3]).expect_err("cut off");
    assert_eq!(broken.kind, ChainBreakKind::Truncated { missing: 2 });
    assert!(
        append(&log.dir, &entry("late")).is_err(),
        "nothing is added to a record that was cut off"
    );

    rewritten(&log, &lines).expect("as it was");
    append(&log.dir, &entry("next")).expect("goes on");
}

#[test]
fn a_line_that_was_never_whole_is_cut_off_before_the_next() {
    let (_temp, log, lines) = filled(2);
    let mut text = fs::read(log.path()).expect("read");
    text.extend_from_slice(br#"{"seq":3,"at":"19"#);
    fs::write(log.path(), text).expect("written");
    append(&log.dir, &entry("next")).expect("goes on");
    let now = fs::read_to_string(log.path()).expect("read");
    assert!(
        now.starts_with(&lines.join("\n")) && now.lines().count() == 3,
        "{now}"
    );
    assert!(log.verify().expect("read").expect("there").is_ok());
}

#[test]
fn a_record_of_an_older_payops_is_gone_on_with() {
    let (_temp, log) = log();
    fs::create_dir_all(&log.dir).expect("made");
    let old = r#"{"at":"1970-01-01T00:00:00Z","who":"anna","env":"prod","action":"reveal","subject":null,"reason":"ticket"}"#;
    fs::write(log.path(), format!("{old}\n{old}\n")).expect("written");
    append(&log.dir, &entry("new")).expect("written");
    append(&log.dir, &entry("newer")).expect("written");
    let verified = log.verify().expect("read").expect("there").expect("whole");
    assert_eq!((verified.legacy, verified.entries), (2, 2));
    let text = fs::read_to_string(log.path()).expect("read");
    fs::write(log.path(), text.replacen("anna", "otto", 1)).expect("written");
    let broken = log
        .verify()
        .expect("read")
        .expect("there")
        .expect_err("changed");
    assert_eq!(
        (broken.line, broken.kind),
        (3, ChainBreakKind::LegacyChanged { legacy: 2 })
    );
}

#[test]
fn many_writers_at_once_make_one_chain() {
    let (_temp, log) = log();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let dir = &log.dir;
            scope.spawn(move || {
                for number in 0..10 {
                    append(dir, &entry(&format!("{writer}-{number}"))).expect("written");
                }
            });
        }
    });
    let verified = log.verify().expect("read").expect("there").expect("whole");
    assert_eq!(verified.entries, 80);
}

#[test]
fn the_newest_come_first_and_damage_is_counted() {
    let line = |who: &str| {
        format!(
            r#"{{"at":"1970-01-01T00:00:00Z","who":"{who}","env":"prod","action":"replay","subject":null,"reason":null}}"#
        )
    };
    let text = format!("{}\n{{cut\n{}\n{}\n", line("a"), line("b"), line("c"));
    let (entries, damaged) = read_newest(&text, 10);
    assert_eq!(
        (
            entries
                .iter()
                .map(|entry| entry.who.as_str())
                .collect::<Vec<_>>(),
            damaged
        ),
        (vec!["c", "b", "a"], 1)
    );
    assert_eq!(read_newest(&text, 1).0.len(), 1);
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let temp = tempfile::tempdir().expect("a folder");
    fs::write(temp.path().join("file"), "").expect("written");
    assert!(append(&temp.path().join("file"), &entry("anna")).is_err());
}
