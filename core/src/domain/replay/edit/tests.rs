//! Edits, and what is shown of them.
use serde_json::json;

use super::*;
use crate::Timestamp;
use crate::domain::bus::{BusEvent, SOURCE, envelope};
use crate::domain::id::PaymentId;
use crate::domain::privacy::Privacy;

const MASKED: Privacy = Privacy { reveal: false };
const OPEN: Privacy = Privacy { reveal: true };

fn body() -> String {
    let detail = json!({
        "payment_id": PaymentId::from_parts(1_763_800_000_000, 7), "amount": "12.50", "tags": ["a"],
        "customer": {"name": "Anna", "email": "anna@example.com"}, "a/b": 1,
    });
    let event = BusEvent {
        source: SOURCE.to_owned(),
        detail_type: "PaymentCompleted".to_owned(),
        detail,
        at: Timestamp::UNIX_EPOCH,
    };
    envelope("e-1", &event)
}

fn sets(texts: &[&str]) -> Edit {
    Edit::Set(
        texts
            .iter()
            .map(|text| Set::parse(text).expect("a set"))
            .collect(),
    )
}

fn changes(edited: &Edited, privacy: Privacy) -> Vec<String> {
    let sign = |line: &DiffLine| match line.change {
        LineChange::Same => None,
        LineChange::Removed => Some(format!("-{}", line.text(privacy).trim())),
        LineChange::Added => Some(format!("+{}", line.text(privacy).trim())),
    };
    edited.diff.iter().filter_map(sign).collect()
}

#[track_caller]
fn check(texts: &[&str], expected: &[&str]) {
    let edited = apply_edit(&body(), &sets(texts)).expect("edited");
    assert_eq!(changes(&edited, MASKED), expected);
}

#[track_caller]
fn refused(edit: &Edit, expected: &EditError) {
    assert_eq!(apply_edit(&body(), edit).as_ref(), Err(expected));
}

#[test]
fn values_are_put_where_they_belong() {
    check(
        &["/detail/amount=1250"],
        &["-\"amount\": \"12.50\",", "+\"amount\": 1250,"],
    );
    check(
        &["/detail/tags/0=b", "/detail/tags/-=c"],
        &["-\"a\"", "+\"b\",", "+\"c\""],
    );
    check(
        &["/detail/a~1b={\"x\":\"=\"}"],
        &["-\"a/b\": 1", "+\"a/b\": {", "+\"x\": \"=\"", "+}"],
    );
    check(
        &["/detail/note=new"],
        &["-\"a/b\": 1", "+\"a/b\": 1,", "+\"note\": \"new\""],
    );
}

#[test]
fn what_is_masked_differs_without_being_shown() {
    let edited = apply_edit(
        &body(),
        &sets(&[
            "/detail/customer/name=Anne",
            "/detail/customer/email=anne@example.com",
        ]),
    )
    .expect("edited");
    let masked = changes(&edited, MASKED);
    assert_eq!(
        masked,
        [
            "-\"name\": \"•••\",",
            "-\"email\": \"a•••@e•••.com\"",
            "+\"name\": \"•••\",",
            "+\"email\": \"a•••@e•••.com\""
        ]
    );
    assert!(changes(&edited, OPEN).contains(&"+\"name\": \"Anne\",".to_owned()));
    let card =
        apply_edit(&body(), &sets(&["/detail/amount=\"4242 4242 4242 4242\""])).expect("edited");
    assert!(!format!("{:?}", card.diff).contains("4242"));
}

#[test]
fn places_that_are_not_there_are_named() {
    let place = |pointer: &str, why| EditError::Place {
        pointer: pointer.to_owned(),
        why,
    };
    refused(
        &sets(&["/details/amount=1"]),
        &place("/details/amount", "its parent does not exist"),
    );
    refused(
        &sets(&["/detail/tags/7=1"]),
        &place("/detail/tags/7", "the list has no such index"),
    );
    refused(
        &sets(&["/detail/amount/x=1"]),
        &place(
            "/detail/amount/x",
            "its parent is neither an object nor a list",
        ),
    );
    assert_eq!(Set::parse("detail/amount=1"), Err(EditError::Form));
    assert_eq!(Set::parse("/detail/amount"), Err(EditError::Form));
}

#[test]
fn what_no_consumer_would_take_is_refused() {
    refused(
        &sets(&["/detail/payment_id=pay_1"]),
        &EditError::Schema(WorkItemError::Member {
            member: "detail.payment_id",
        }),
    );
    refused(
        &Edit::Body("[]".to_owned()),
        &EditError::Schema(WorkItemError::Envelope(
            "wrong fields at line 1 column 2".to_owned(),
        )),
    );
    refused(&sets(&["/detail/amount=\"12.50\""]), &EditError::Unchanged);
    refused(&Edit::Body(body()), &EditError::Unchanged);
    assert_eq!(
        apply_edit("no JSON", &sets(&["/a=1"])),
        Err(EditError::NotJson)
    );
}

#[test]
fn a_broken_body_may_be_replaced_as_a_whole() {
    let edited = apply_edit("{\"broken\n anna@example.com", &Edit::Body(body())).expect("edited");
    assert_eq!(edited.body, body());
    assert_eq!(changes(&edited, MASKED)[1], "-a•••@e•••.com");
}

#[test]
fn edits_have_a_form() {
    let edit = sets(&["/detail/amount=1250"]);
    let text = r#"{"set":[{"pointer":"/detail/amount","value":1250}]}"#;
    assert_eq!(serde_json::to_string(&edit).expect("JSON"), text);
    assert_eq!(serde_json::from_str::<Edit>(text).expect("an edit"), edit);
    assert_eq!(
        serde_json::to_string(&Edit::Body("x".to_owned())).expect("JSON"),
        r#"{"body":"x"}"#
    );
}

#[test]
fn bodies_that_differ_in_everything_cost_little() {
    let list = |from: usize| json!((from..from + 20_000).collect::<Vec<_>>()).to_string();
    let diff = super::diff::diff_bodies(&list(0), &list(30_000));
    assert_eq!(
        diff.iter()
            .filter(|line| line.change == LineChange::Same)
            .count(),
        2
    );
    assert_eq!(diff.len(), 40_002);
}

proptest::proptest! {
    #[test]
    fn a_diff_tells_both_bodies(old in "[ab\n]{0,20}", new in "[ab\n]{0,20}") {
        let diff = super::diff::diff_bodies(&old, &new);
        let side = |not: LineChange| diff.iter().filter(|line| line.change != not).map(|line| line.text(OPEN).to_owned()).collect::<Vec<_>>().join("\n");
        proptest::prop_assert_eq!((side(LineChange::Added), side(LineChange::Removed)), (old, new));
    }
}
