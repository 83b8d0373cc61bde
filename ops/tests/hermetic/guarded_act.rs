//! Every action of the vocabulary through the guarded act: allowed, denied, frozen, not elevated,
//! not approved, not recordable; as the command line and as the screen calls it.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use payops_core::domain::access::{AccessLevel, Action, Approval};
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::rollout::{RolloutAction, RolloutKey, RolloutPlan};
use payops_core::operations::{ElevationRequest, Operations as _};
use payops_core::port::ErrorKind;
use payops_ops::act::{Act, ApprovedPlan, Done};
use payops_ops::error::{Kind, OpsError, OpsResult};

use crate::place::{Place, Way};

const REASON: &str = "incident 12";
/// Action, outcome, reason and role of a line of the record.
type RecordLine = (String, Option<AuditOutcome>, Option<String>, Option<String>);

const WAYS: [Way; 2] = [Way::Command, Way::Screen];

fn act(action: Action) -> Act {
    Act::new(action).subject("the thing").reason(Some(REASON))
}

/// Does it; whether the work was reached, and what came of it.
async fn run(place: &Place, way: Way, act: Act) -> (bool, OpsResult<&'static str>) {
    let reached = AtomicBool::new(false);
    let result = place
        .session("anna", way)
        .act(act, async |_| {
            reached.store(true, Ordering::Relaxed);
            Ok(Done::new("worked").summary("one thing"))
        })
        .await;
    (reached.into_inner(), result)
}

/// The entries of `action`, which must all tell of the same act.
#[track_caller]
fn check_entries(place: &Place, action: Action, outcomes: &[AuditOutcome]) -> Vec<AuditEntry> {
    let entries: Vec<AuditEntry> = place
        .record()
        .into_iter()
        .filter(|entry| {
            entry.action == action.as_str() && entry.subject.as_deref() == Some("the thing")
        })
        .collect();
    let found: Vec<AuditOutcome> = entries.iter().filter_map(|entry| entry.outcome).collect();
    assert_eq!(found, outcomes, "{action}");
    for entry in &entries {
        assert_eq!(
            (entry.who.as_str(), entry.env.as_str(), &entry.account),
            ("anna", "prod", &None),
            "{action}"
        );
        assert!(entry.role.is_some(), "{action} has no role");
    }
    entries
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: OpsResult<T>) -> OpsError {
    let error = result.expect_err("refused");
    assert_eq!(error.kind, Kind::Refused, "{}", error.message);
    assert!(error.hint.is_some(), "{} has no hint", error.message);
    error
}

/// Purges are never done in a protected environment, whatever the rules say.
fn possible() -> impl Iterator<Item = (Way, Action)> {
    let actions = Action::ALL
        .iter()
        .copied()
        .filter(|action| *action != Action::QueuePurge);
    actions.flat_map(|action| WAYS.map(|way| (way, action)))
}

#[tokio::test]
async fn what_is_allowed_is_recorded_when_it_begins_and_when_it_ends() {
    for (way, action) in possible() {
        let place = Place::new();
        let (reached, result) = run(&place, way, act(action)).await;
        assert_eq!(result.expect("allowed"), "worked", "{action}");
        assert!(reached, "{action}");
        let entries = check_entries(&place, action, &[AuditOutcome::Begun, AuditOutcome::Done]);
        let role = match action.needs() {
            AccessLevel::View => "view",
            _ => "operate",
        };
        for entry in &entries {
            assert_eq!(entry.role.as_deref(), Some(role), "{action}");
            assert_eq!(entry.reason.as_deref(), Some(REASON), "{action}");
        }
        let words = entries[1].detail.get("outcome").map(String::as_str);
        assert_eq!(words, Some("one thing"), "{action}");
        // What needs `operate` was elevated in place, and that is recorded before it.
        let elevated = place
            .record()
            .iter()
            .any(|entry| entry.action == "account.login" && entry.subject.is_none());
        let is_free = action.is_free_when_embedded();
        assert_eq!(
            elevated,
            action.needs() == AccessLevel::Operate && !is_free,
            "{action}"
        );
    }
}

#[tokio::test]
async fn what_a_rule_denies_is_not_done_and_the_refusal_is_recorded() {
    for (way, action) in possible() {
        let place = Place::new();
        place.write_policy(&format!(
            "[[deny]]\nwho = ['anna']\nwhat = ['{action}']\nwhere = ['prod']\n"
        ));
        let (reached, result) = run(&place, way, act(action)).await;
        if action == Action::AccountLogout {
            // Access can always be given back.
            assert!(reached && result.is_ok());
            continue;
        }
        let error = refusal(result);
        assert!(!reached && error.message.contains("anna"), "{action}");
        let entries = check_entries(&place, action, &[AuditOutcome::Refused]);
        assert_eq!(entries[0].reason.as_deref(), Some(REASON));
        assert_eq!(entries[0].detail.get("outcome"), Some(&error.message));
        assert_eq!(place.record().len(), 1, "{action}: nothing else began");
    }
}

#[tokio::test]
async fn a_purge_is_refused_in_a_protected_environment() {
    for way in WAYS {
        let place = Place::new();
        let (reached, result) = run(&place, way, act(Action::QueuePurge)).await;
        refusal(result);
        assert!(!reached);
        check_entries(&place, Action::QueuePurge, &[AuditOutcome::Refused]);
    }
}

#[tokio::test]
async fn where_nothing_is_protected_a_purge_needs_break_glass() {
    let deny = "[[deny]]\nwho = ['anna']\nwhat = ['queue.purge']\nwhere = ['test']\n";
    for (rules, level, expected) in [
        (
            "",
            AccessLevel::BreakGlass,
            [AuditOutcome::Begun, AuditOutcome::Done].as_slice(),
        ),
        (deny, AccessLevel::BreakGlass, &[AuditOutcome::Refused]),
        ("", AccessLevel::Operate, &[AuditOutcome::Refused]),
    ] {
        let place = Place::new();
        place.write_policy(rules);
        let session = |who| place.operator(who).session(&place.environment("test"));
        let anna = session("anna");
        if level == AccessLevel::BreakGlass {
            let span = jiff::SignedDuration::from_mins(15);
            let elevation = anna.plan_login(level, REASON, None, span).expect("planned");
            anna.login(&elevation, None).await.expect("elevated");
        }
        let result = anna
            .act(act(Action::QueuePurge), async |_| Ok(Done::new(())))
            .await;
        assert_eq!(result.is_ok(), expected.len() == 2);
        let entries: Vec<AuditEntry> = place
            .record()
            .into_iter()
            .filter(|entry| entry.action == "queue.purge")
            .collect();
        let outcomes: Vec<_> = entries.iter().filter_map(|entry| entry.outcome).collect();
        assert_eq!(outcomes, expected);
        for entry in entries {
            assert_eq!(
                (
                    entry.env.as_str(),
                    entry.reason.as_deref(),
                    entry.role.as_deref()
                ),
                ("test", Some(REASON), Some(level.as_str()))
            );
        }
    }
}

#[tokio::test]
async fn without_a_reason_nobody_is_elevated() {
    for (way, action) in possible() {
        let place = Place::new();
        let (reached, result) = run(&place, way, act(action).reason(None)).await;
        let needs = (action.needs() == AccessLevel::Operate && !action.is_free_when_embedded())
            || action.always_needs_a_reason();
        if needs {
            refusal(result);
            assert!(!reached, "{action}");
            check_entries(&place, action, &[AuditOutcome::Refused]);
        } else {
            result.expect("allowed");
            check_entries(&place, action, &[AuditOutcome::Begun, AuditOutcome::Done]);
        }
    }
}

#[tokio::test]
async fn a_freeze_refuses_what_it_stops_and_lets_the_rest_pass() {
    for (way, action) in possible() {
        let place = Place::new();
        let ben = place.session("ben", Way::Command);
        let freeze = ben.plan_freeze("incident 13", None).expect("a freeze");
        ben.set_freeze(&freeze).await.expect("frozen");
        let (reached, result) = run(&place, way, act(action)).await;
        if action.stops_in_a_freeze() {
            let error = refusal(result);
            assert!(
                !reached && error.message.contains("incident 13"),
                "{action}"
            );
            check_entries(&place, action, &[AuditOutcome::Refused]);
        } else {
            result.expect("allowed");
            assert!(reached, "{action}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_stops_what_is_under_way() {
    for (way, action) in
        possible().filter(|(_, action)| action.stops_in_a_freeze() && *action != Action::FreezeSet)
    {
        let place = Place::new();
        let result = place
            .session("anna", way)
            .act(act(action), async |permit| {
                let ben = place.session("ben", Way::Command);
                let freeze = ben.plan_freeze("incident 13", None).expect("a freeze");
                ben.set_freeze(&freeze).await.expect("frozen");
                permit.stop.cancelled().await;
                let done = Done::new(()).summary("3 of 5").unfinished(true);
                Ok(done.outcome(AuditOutcome::Failed))
            })
            .await;
        let error = refusal(result);
        assert!(
            error.message.contains("incident 13") && error.message.contains("3 of 5"),
            "{}",
            error.message
        );
        check_entries(&place, action, &[AuditOutcome::Begun, AuditOutcome::Failed]);
    }
}

#[tokio::test]
async fn break_glass_goes_on_in_a_freeze_and_says_so() {
    for way in WAYS {
        let place = Place::new();
        let ben = place.session("ben", Way::Command);
        let freeze = ben.plan_freeze("incident 13", None).expect("a freeze");
        ben.set_freeze(&freeze).await.expect("frozen");
        let anna = place.session("anna", Way::Command);
        let glass = AccessLevel::BreakGlass;
        let span = jiff::SignedDuration::from_mins(15);
        let elevation = anna.plan_login(glass, REASON, None, span).expect("planned");
        anna.login(&elevation, None).await.expect("elevated");
        let (reached, result) = run(&place, way, act(Action::DlqReplay)).await;
        result.expect("allowed");
        assert!(reached);
        let entries = check_entries(
            &place,
            Action::DlqReplay,
            &[AuditOutcome::Begun, AuditOutcome::Done],
        );
        assert_eq!(entries[0].role.as_deref(), Some("break-glass"));
        if way == Way::Command {
            let notices = place.notices.0.lock().expect("notices");
            assert!(
                notices.iter().any(|text| text.contains("frozen")),
                "{notices:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_second_person_must_have_approved_where_a_rule_says_so() {
    for (way, action) in possible() {
        let place = Place::new();
        place.write_policy(&format!(
            "[[four_eyes]]\nwhat = ['{action}']\nwhere = ['prod']\n"
        ));
        let plan = |approvals| ApprovedPlan {
            sha256: "ab".repeat(32),
            approvals,
            approve_with: Some("payops dlq approve FILE".to_owned()),
        };
        let (reached, result) = run(&place, way, act(action).plan(plan(Vec::new()))).await;
        if action.judged_as() != Some(action) {
            // Approving and elevating are not themselves approved by others.
            result.expect("allowed");
            continue;
        }
        let error = refusal(result);
        assert!(!reached, "{action}");
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains("payops dlq approve FILE"), "{action}: {hint}");
        check_entries(&place, action, &[AuditOutcome::Refused]);
        let by_ben = Approval {
            by: "ben".to_owned(),
            at: Timestamp::now(),
            plan_sha256: "ab".repeat(32),
        };
        let (reached, result) = run(&place, way, act(action).plan(plan(vec![by_ben]))).await;
        result.expect("approved");
        assert!(reached, "{action}");
        let entries = place.record();
        let last = entries.last().expect("an entry");
        assert_eq!(
            last.detail.get("approved_by").map(String::as_str),
            Some("ben")
        );
        assert_eq!(last.outcome, Some(AuditOutcome::Done));
    }
}

#[tokio::test]
async fn who_may_not_do_it_may_not_approve_it() {
    for (action, approval) in [
        (Action::DlqReplay, Action::DlqApprove),
        (Action::PaymentRefund, Action::PaymentApprove),
    ] {
        let place = Place::new();
        place.write_policy(&format!(
            "[[deny]]\nwho = ['anna']\nwhat = ['{action}']\nwhere = ['prod']\n"
        ));
        let (reached, result) = run(&place, Way::Command, act(approval)).await;
        refusal(result);
        assert!(!reached);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    for (way, action) in possible() {
        let place = Place::new();
        std::fs::create_dir(place.data_dir().join("audit.jsonl")).expect("in the way");
        let (reached, result) = run(&place, way, act(action)).await;
        let error = result.expect_err("not recorded");
        assert!(!reached, "{action}");
        assert!(error.message.contains("audit.jsonl"), "{}", error.message);
    }
}

#[tokio::test]
async fn the_screen_records_what_it_does_with_the_typed_reason() {
    let place = Place::new();
    place.write_policy("[[deny]]\nwho = ['anna']\nwhat = ['rollout.promote']\nwhere = ['prod']\n");
    let operations = place.operations("anna");
    let request = ElevationRequest {
        level: AccessLevel::Operate,
        reason: REASON.to_owned(),
        ticket: Some("OPS-1".to_owned()),
        mfa_code: None,
    };
    let status = operations.elevate("prod", request).await.expect("elevated");
    assert_eq!(status.level, AccessLevel::Operate);
    let plan = RolloutPlan {
        workload: None,
        dangerous: false,
        action: RolloutAction::Promote,
        key: RolloutKey {
            namespace: "payments".to_owned(),
            name: "payments-api".to_owned(),
        },
        uid: "u".to_owned(),
        resource_version: "7".to_owned(),
        generation: 1,
        now: String::new(),
        after: String::new(),
        warnings: Vec::new(),
        changes: Vec::new(),
    };
    let refused = operations
        .execute_rollout("prod", "prod", plan, "the canary is fine".to_owned())
        .await
        .expect_err("denied");
    assert_eq!(refused.kind, ErrorKind::Refused);
    let status = operations.end_elevation("prod").await.expect("ended");
    assert_eq!(status.level, AccessLevel::View);
    let lines: Vec<RecordLine> = place
        .record()
        .into_iter()
        .map(|entry| (entry.action, entry.outcome, entry.reason, entry.role))
        .collect();
    let line = |action: &str, outcome, reason: Option<&str>| {
        let role = Some("operate".to_owned());
        (
            action.to_owned(),
            Some(outcome),
            reason.map(str::to_owned),
            role,
        )
    };
    assert_eq!(
        lines,
        [
            line("account.login", AuditOutcome::Begun, Some(REASON)),
            line("account.login", AuditOutcome::Done, Some(REASON)),
            line(
                "rollout.promote",
                AuditOutcome::Refused,
                Some("the canary is fine")
            ),
            line("account.logout", AuditOutcome::Begun, None),
            line("account.logout", AuditOutcome::Done, None),
        ]
    );
}

#[tokio::test]
async fn a_rule_against_elevating_stops_it_in_place_too() {
    for way in WAYS {
        let place = Place::new();
        place
            .write_policy("[[deny]]\nwho = ['anna']\nwhat = ['account.login']\nwhere = ['prod']\n");
        let (reached, result) = run(&place, way, act(Action::DlqReplay)).await;
        let error = refusal(result);
        assert!(
            !reached && error.message.contains("account.login"),
            "{}",
            error.message
        );
        let level = place.session("anna", way).access_level().expect("a level");
        assert_eq!(level, AccessLevel::View);
        check_entries(&place, Action::DlqReplay, &[AuditOutcome::Refused]);
    }
}

#[tokio::test]
async fn access_is_given_back_whatever_cannot_be_read() {
    let place = Place::new();
    let anna = place.session("anna", Way::Command);
    let span = jiff::SignedDuration::from_mins(15);
    let elevation = anna
        .plan_login(AccessLevel::Operate, REASON, None, span)
        .expect("planned");
    anna.login(&elevation, None).await.expect("elevated");
    place.write_policy("[[deny]\n");
    std::fs::write(place.data_dir().join("prod.freeze.json"), "garbage").expect("written");
    assert!(anna.logout().await.expect("given back"));
    assert_eq!(
        place.session("anna", Way::Command).access_level().ok(),
        Some(AccessLevel::View)
    );
}

#[tokio::test]
async fn what_no_freeze_stops_is_done_beside_a_freeze_that_cannot_be_read() {
    for (way, action) in possible() {
        let place = Place::new();
        std::fs::write(place.data_dir().join("prod.freeze.json"), "garbage").expect("written");
        let (reached, result) = run(&place, way, act(action)).await;
        assert_eq!(reached, !action.stops_in_a_freeze(), "{action}");
        assert_eq!(result.is_ok(), !action.stops_in_a_freeze(), "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_stops_what_is_under_way_whatever_the_rules_say_by_then() {
    for rules in [
        "[[deny]]\nwho = ['anna']\nwhat = ['*']\nwhere = ['*']\n",
        "[[deny]\n",
    ] {
        let place = Place::new();
        let result = place
            .session("anna", Way::Command)
            .act(act(Action::DlqReplay), async |permit| {
                let ben = place.session("ben", Way::Command);
                let freeze = ben.plan_freeze("incident 13", None).expect("a freeze");
                ben.set_freeze(&freeze).await.expect("frozen");
                place.write_policy(rules);
                permit.stop.cancelled().await;
                Ok(Done::new(()).summary("3 of 5").unfinished(true))
            })
            .await;
        assert!(refusal(result).message.contains("incident 13"));
        let record = place.record();
        let words = record.last().and_then(|entry| entry.detail.get("outcome"));
        assert!(
            words.is_some_and(|words| words.contains("frozen by ben") && words.contains("3 of 5")),
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn work_that_fails_and_work_that_is_dropped_end_in_the_record() {
    for (way, action) in possible() {
        let place = Place::new();
        let session = place.session("anna", way);
        let failed = session
            .act(act(action), async |_| {
                Err::<Done<()>, _>(OpsError::failed("the queue is gone"))
            })
            .await;
        assert_eq!(failed.expect_err("failed").message, "the queue is gone");
        let entries = check_entries(&place, action, &[AuditOutcome::Begun, AuditOutcome::Failed]);
        let words = entries[1].detail.get("outcome").map(String::as_str);
        assert_eq!(words, Some("the queue is gone"));

        let place = Place::new();
        let session = place.session("anna", way);
        let begun = tokio::sync::Notify::new();
        let endless = session.act(act(action), async |_| {
            begun.notify_one();
            std::future::pending::<OpsResult<Done<()>>>().await
        });
        tokio::select! {
            _ = endless => panic!("endless"),
            () = begun.notified() => {}
        }
        let entries = check_entries(&place, action, &[AuditOutcome::Begun, AuditOutcome::Failed]);
        let words = entries[1].detail.get("outcome");
        assert!(
            words.is_some_and(|words| words.contains("interrupted")),
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_recorded_is_said() {
    for way in WAYS {
        let place = Place::new();
        let record = place.data_dir().join("audit.jsonl");
        let session = place.operator("anna").session(&place.prod());
        let result = session
            .act(act(Action::DlqPeek), async |_| {
                std::fs::remove_file(&record).expect("there");
                std::fs::create_dir(&record).expect("in the way");
                Ok(Done::new(way))
            })
            .await;
        assert_eq!(result.expect("it is done"), way);
        let notices = place.notices.0.lock().expect("notices");
        assert!(
            notices
                .iter()
                .any(|text| text.contains("could not be recorded")),
            "{notices:?}"
        );
    }
}

#[tokio::test]
async fn an_early_refusal_is_recorded_and_only_for_what_nothing_makes_possible() {
    let place = Place::new();
    let session = place.session("anna", Way::Command);
    let purge = Act::new(Action::QueuePurge).subject("the thing");
    refusal(session.refuse_early(&purge).await);
    let entries = check_entries(&place, Action::QueuePurge, &[AuditOutcome::Refused]);
    assert_eq!(entries[0].reason, None, "nobody gave one");
    // A reason would elevate.
    let replay = Act::new(Action::DlqReplay).subject("the thing");
    session
        .refuse_early(&replay)
        .await
        .expect("not yet refused");
    assert_eq!(place.record().len(), 1);
}
