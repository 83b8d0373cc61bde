//! The chain of the record: whatever is done to a file is found, and the line is named.

#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use payops_core::Timestamp;
use payops_core::domain::audit::{
    AuditEntry, ChainBreak, ChainBreakKind, Head, Verified, Verifier, chain, number_lines, verify,
};
use proptest::prelude::*;

const LEGACY: &str = r#"{"at":"2025-01-01T00:00:00Z","who":"anna","env":"prod","action":"reveal","subject":null,"reason":null}"#;

fn entry(n: u64) -> AuditEntry {
    AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "prod", "replay")
        .subject(format!("payments-{n}"))
        .detail("message", "m-1")
}

/// So many chained lines after `head`.
fn lines_after(head: &Head, count: u64) -> Vec<String> {
    let mut head = head.clone();
    let mut lines = Vec::new();
    for n in 0..count {
        let (line, next) = chain(&entry(n), Some(&head)).expect("a line");
        lines.push(line);
        head = next;
    }
    lines
}

fn lines(count: u64) -> Vec<String> {
    lines_after(&Head::genesis(), count)
}

fn head(lines: &[String]) -> Head {
    Head::of_line(lines.last().expect("a line").as_bytes()).expect("a head")
}

fn file(lines: &[String]) -> String {
    lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect()
}

#[track_caller]
fn check(
    lines: &[String],
    anchor: Option<&Head>,
    expected: Result<(u64, u64), (u64, u64, ChainBreakKind)>,
) {
    let got = verify(number_lines(&file(lines)), anchor);
    let got = got
        .map(
            |Verified {
                 legacy, entries, ..
             }| (legacy, entries),
        )
        .map_err(|ChainBreak { line, seq, kind }| (line, seq, kind));
    assert_eq!(got, expected);
}

fn with(mut lines: Vec<String>, change: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    change(&mut lines);
    lines
}

#[test]
fn a_whole_record_verifies() {
    check(&[], None, Ok((0, 0)));
    check(&lines(1), None, Ok((0, 1)));
    check(&lines(5), Some(&head(&lines(3))), Ok((0, 5)));
    check(&lines(5), Some(&Head::genesis()), Ok((0, 5)));
    assert_eq!(
        verify(number_lines(&file(&lines(5))), None)
            .expect("whole")
            .head,
        head(&lines(5))
    );
}

#[test]
fn members_of_a_newer_version_verify_and_are_covered() {
    let (line, head) = chain(&entry(0), None).expect("a line");
    // A newer payops writes one member more, and hashes it.
    let open = line
        .split(",\"hash\":")
        .next()
        .expect("a part")
        .replace("\"prev\"", "\"weather\":\"rain\",\"prev\"");
    let hash = payops_core::domain::sha256_hex(format!("{open}}}").as_bytes());
    assert_ne!(hash, head.hash);
    let line = format!("{open},\"hash\":\"{hash}\"}}");
    check(std::slice::from_ref(&line), None, Ok((0, 1)));
    check(
        &[line.replace("rain", "snow")],
        None,
        Err((1, 1, ChainBreakKind::Changed)),
    );
}

#[test]
fn a_changed_line_is_named() {
    check(
        &with(lines(4), |lines| {
            lines[1] = lines[1].replace("anna", "anne");
        }),
        None,
        Err((2, 2, ChainBreakKind::Changed)),
    );
    check(
        &with(lines(4), |lines| lines[1].push('\r')),
        None,
        Err((2, 2, ChainBreakKind::Changed)),
    );
    check(
        &with(lines(4), |lines| lines[1].push(',')),
        None,
        Err((2, 2, ChainBreakKind::NotJson)),
    );
    check(
        &with(lines(4), |lines| lines[3].truncate(20)),
        None,
        Err((4, 4, ChainBreakKind::CutShort)),
    );
    check(
        &with(lines(1), |lines| lines[0].truncate(20)),
        None,
        Err((1, 1, ChainBreakKind::CutShort)),
    );
}

#[test]
fn missing_lines_are_counted() {
    check(
        &with(lines(6), |lines| drop(lines.drain(2..4))),
        None,
        Err((3, 3, ChainBreakKind::Removed { missing: 2 })),
    );
    check(
        &with(lines(6), |lines| drop(lines.remove(0))),
        None,
        Err((1, 1, ChainBreakKind::Removed { missing: 1 })),
    );
    check(
        &with(lines(6), |lines| lines.truncate(4)),
        Some(&head(&lines(6))),
        Err((4, 5, ChainBreakKind::Truncated { missing: 2 })),
    );
    check(
        &[],
        Some(&head(&lines(6))),
        Err((0, 1, ChainBreakKind::Truncated { missing: 6 })),
    );
}

#[test]
fn lines_out_of_order_and_lines_put_in_are_told_apart() {
    check(
        &with(lines(6), |lines| lines.swap(1, 4)),
        None,
        Err((2, 2, ChainBreakKind::Reordered)),
    );
    check(
        &with(lines(6), |lines| lines.insert(3, lines[2].clone())),
        None,
        Err((4, 4, ChainBreakKind::Repeated { seq: 3 })),
    );
    check(
        &with(lines(6), |lines| lines.push(lines[0].clone())),
        None,
        Err((7, 7, ChainBreakKind::Repeated { seq: 1 })),
    );
    check(
        &with(lines(6), |lines| lines.insert(2, LEGACY.to_owned())),
        None,
        Err((3, 3, ChainBreakKind::Unchained)),
    );
}

#[test]
fn a_line_written_anew_with_its_hash_does_not_fit_the_next() {
    let forged = chain(&entry(99), Some(&head(&lines(2)))).expect("a line").0;
    check(
        &with(lines(5), |lines| lines[2] = forged),
        None,
        Err((4, 4, ChainBreakKind::Unlinked)),
    );
}

#[test]
fn a_record_written_anew_is_found_by_its_anchor() {
    let first = chain(&entry(99), None).expect("a line");
    let anew: Vec<String> = [vec![first.0], lines_after(&first.1, 4)].concat();
    check(&anew, None, Ok((0, 5)));
    check(
        &anew,
        Some(&head(&lines(3))),
        Err((3, 3, ChainBreakKind::Rewritten)),
    );
    check(
        &lines(3),
        Some(&Head {
            seq: 0,
            hash: "a".repeat(64),
        }),
        Err((1, 0, ChainBreakKind::Rewritten)),
    );
}

/// Three old lines, one of them damaged long ago, and a chain that was begun after them.
fn old_file() -> Vec<String> {
    let legacy = [LEGACY, "{cut", LEGACY].map(str::to_owned).to_vec();
    let chained = lines_after(&Head::after_legacy(&legacy), 3);
    [legacy, chained].concat()
}

#[test]
fn older_lines_are_covered_by_the_first_of_the_chain() {
    check(&old_file(), None, Ok((3, 3)));
    check(&[LEGACY.to_owned()], None, Ok((1, 0)));
    let changed = ChainBreakKind::LegacyChanged { legacy: 3 };
    check(
        &with(old_file(), |lines| lines[0] = LEGACY.replace("anna", "ben")),
        None,
        Err((4, 1, changed)),
    );
    check(
        &with(old_file(), |lines| lines.swap(1, 2)),
        None,
        Err((4, 1, changed)),
    );
    check(
        &with(old_file(), |lines| drop(lines.remove(0))),
        None,
        Err((3, 1, ChainBreakKind::LegacyChanged { legacy: 2 })),
    );
    check(
        &with(lines(2), |lines| lines.insert(0, LEGACY.to_owned())),
        None,
        Err((2, 1, ChainBreakKind::LegacyChanged { legacy: 1 })),
    );
}

#[test]
fn a_file_of_older_lines_alone_goes_on_with_its_head() {
    let verified = verify(number_lines(&file(&[LEGACY.to_owned()])), None).expect("whole");
    assert_eq!(verified.head, Head::after_legacy([LEGACY]));
    check(
        &[vec![LEGACY.to_owned()], lines_after(&verified.head, 2)].concat(),
        Some(&verified.head),
        Ok((1, 2)),
    );
}

/// Changes one byte of a file; the line it stood in, if the byte was not the last line feed.
fn changed_byte(text: &str, place: usize, byte: u8) -> Option<(Vec<u8>, u64)> {
    let mut bytes = text.as_bytes().to_vec();
    let place = place % bytes.len().saturating_sub(1);
    if bytes[place] == byte {
        return None;
    }
    let line = text[..place].matches('\n').count() + 1;
    bytes[place] = byte;
    Some((bytes, line.try_into().expect("a small number")))
}

fn verify_bytes(bytes: &[u8], anchor: Option<&Head>) -> Result<Verified, ChainBreak> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    verify((1_u64..).zip(bytes.split(|b| *b == b'\n')), anchor)
}

proptest! {
    #[test]
    fn any_changed_byte_is_found_in_its_line(count in 1_u64..6, place: usize, byte: u8) {
        if let Some((bytes, line)) = changed_byte(&file(&lines(count)), place, byte) {
            prop_assert_eq!(verify_bytes(&bytes, None).map_err(|found| found.line), Err(line));
        }
    }

    #[test]
    fn any_changed_byte_of_an_older_line_is_found(place in 0..LEGACY.len(), byte: u8) {
        if let Some((bytes, _)) = changed_byte(&file(&old_file()), place, byte) {
            prop_assert!(verify_bytes(&bytes, None).is_err());
        }
    }

    #[test]
    fn any_line_taken_out_is_found(count in 1_u64..8, place: prop::sample::Index) {
        let whole = lines(count);
        let place = place.index(whole.len());
        let left = with(whole.clone(), |lines| drop(lines.remove(place)));
        let found = verify(number_lines(&file(&left)), Some(&head(&whole))).expect_err("a line is missing");
        let last = place + 1 == whole.len();
        let kind = if last { ChainBreakKind::Truncated { missing: 1 } } else { ChainBreakKind::Removed { missing: 1 } };
        let place = u64::try_from(place).expect("a small number");
        prop_assert_eq!(found, ChainBreak { line: if last { place } else { place + 1 }, seq: place + 1, kind });
    }

    #[test]
    fn any_two_lines_swapped_are_found(count in 2_u64..8, one: prop::sample::Index, other: prop::sample::Index) {
        let whole = lines(count);
        let one = one.index(whole.len());
        // Any other but that one.
        let other = (one + 1 + other.index(whole.len() - 1)) % whole.len();
        let first = u64::try_from(one.min(other)).expect("a small number") + 1;
        let found = verify(number_lines(&file(&with(whole, |lines| lines.swap(one, other)))), None);
        prop_assert_eq!(found, Err(ChainBreak { line: first, seq: first, kind: ChainBreakKind::Reordered }));
    }

    #[test]
    fn any_end_cut_off_is_found(count in 1_u64..6, cut: prop::sample::Index) {
        let whole = lines(count);
        let text = file(&whole);
        // Without its last line feed alone the record is whole.
        let kept = &text[..cut.index(text.len() - 1)];
        let kept_whole = u64::try_from(kept.matches('\n').count()).expect("a small number");
        let found = verify(number_lines(kept), Some(&head(&whole))).expect_err("something is missing");
        // Cut exactly before a line feed, a line is whole too.
        let lines_left = kept_whole + u64::from(Head::of_line(kept.rsplit('\n').next().unwrap_or_default().as_bytes()).is_some());
        let half = !kept.is_empty() && !kept.ends_with('\n') && lines_left == kept_whole;
        let kind = if half { ChainBreakKind::CutShort } else { ChainBreakKind::Truncated { missing: count - lines_left } };
        prop_assert_eq!(found, ChainBreak { line: lines_left + u64::from(half), seq: lines_left + 1, kind });
    }
}

#[test]
fn a_check_goes_on_where_another_ended() {
    let all = lines(5);
    let mut verifier = Verifier::after(head(&all[..2]), 2);
    for (number, line) in (3..).zip(&all[2..4]) {
        verifier.line(number, line.as_bytes());
        assert_eq!(verifier.last().map(|head| head.seq), Some(number));
    }
    // What it went on after is no line of another record.
    let mut other = Verifier::after(
        Head {
            hash: "0".repeat(64),
            ..head(&all[..2])
        },
        2,
    );
    other.line(3, all[2].as_bytes());
    let told = |verifier: &Verifier| verifier.broken().map(|broken| (broken.line, broken.kind));
    assert_eq!(
        (told(&other), other.last()),
        (Some((3, ChainBreakKind::Unlinked)), None)
    );
    verifier.line(5, all[4].replace("payments-4", "payments-5").as_bytes());
    assert_eq!(
        (told(&verifier), verifier.last()),
        (Some((5, ChainBreakKind::Changed)), None)
    );
}
