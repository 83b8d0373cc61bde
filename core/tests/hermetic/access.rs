//! The policy file as it is written, and what is decided by it.

#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::access::{
    Above, AccessLevel, AccessRequest, Action, Approval, Elevation, Freeze, PolicyDecision,
    PolicyRefusal, PolicyRules, ReasonError, RulesError,
};
use payops_core::domain::money::{Currency, Money};

const ALLOWED: PolicyDecision = PolicyDecision::Allowed {
    despite_freeze: false,
};
const FILE: &str = r#"
    [groups]
    sre = ["anna", "ben"]
    [[allow]]
    who = ["group:sre", "*@support.example.com"]
    what = ["dlq.*", "payment.*"]
    where = ["prod"]
    [[allow]]
    who = ["carla"]
    what = ["rollout.*", "freeze.*"]
    where = ["*"]
    access = "break-glass"
    [[deny]]
    who = ["ben"]
    what = ["payment.*"]
    where = ["pro*"]
    [[four_eyes]]
    what = ["dlq.replay"]
    where = ["prod"]
    above = 100
    [[four_eyes]]
    what = ["payment.refund"]
    where = ["prod"]
    above_minor = 50000
    currency = "EUR"
    approvals = 2
"#;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn now() -> Timestamp {
    at(1_000_000)
}

fn rules(text: &str) -> PolicyRules {
    toml::from_str(text).expect("rules")
}

fn ask<'a>(who: &'a str, action: Action, env: &'a str) -> AccessRequest<'a> {
    AccessRequest {
        level: AccessLevel::Operate,
        reason: Some("ticket 7"),
        ..AccessRequest::new(who, action, env, now())
    }
}

fn elevation(who: &str, level: AccessLevel, begun: i64) -> Elevation {
    Elevation::begin(
        who,
        "prod",
        level,
        "outage 9",
        None,
        at(begun),
        SignedDuration::from_mins(30),
    )
    .expect("begun")
}

fn freeze() -> Freeze {
    Freeze::begin("prod", "dora", "incident 7", at(900_000), None).expect("a freeze")
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, code.parse().expect("a currency")).expect("money")
}

fn eur() -> Currency {
    "EUR".parse().expect("EUR")
}

fn approval(by: &str, plan: &str) -> Approval {
    Approval {
        by: by.into(),
        at: at(990_000),
        plan_sha256: plan.into(),
    }
}

/// What comes of it: `allowed`, `allowed despite a freeze`, or why not.
#[track_caller]
fn check(file: &str, ask: &AccessRequest<'_>, expected: &str) {
    let got = match rules(file).decide(ask) {
        PolicyDecision::Allowed {
            despite_freeze: false,
        } => "allowed".to_owned(),
        PolicyDecision::Allowed {
            despite_freeze: true,
        } => "allowed despite a freeze".to_owned(),
        PolicyDecision::Refused(refusal) => refusal.to_string(),
    };
    assert_eq!(got, expected);
}

#[track_caller]
fn invalid(file: &str, expected: &RulesError) {
    let error = toml::from_str::<PolicyRules>(file)
        .expect_err("invalid")
        .to_string();
    assert!(error.contains(&expected.to_string()), "{error}");
}

#[test]
fn without_a_file_everybody_may_do_what_their_level_allows() {
    assert_eq!(rules(""), PolicyRules::default());
    for action in Action::ALL
        .iter()
        .filter(|action| **action != Action::QueuePurge)
    {
        assert_eq!(
            PolicyRules::default().decide(&ask("anna", *action, "prod")),
            ALLOWED,
            "{action}"
        );
    }
    let many = AccessRequest {
        count: None,
        ..ask("anna", Action::DlqReplay, "prod")
    };
    check("", &many, "allowed");
    check(
        "",
        &AccessRequest::new("anna", Action::DlqPeek, "prod", now()),
        "allowed",
    );
}

#[test]
fn a_purge_is_never_done_where_it_is_protected() {
    let purge = ask("anna", Action::QueuePurge, "prod");
    check(
        "",
        &purge,
        "queue.purge is not allowed in a protected environment: prod",
    );
    let glass = elevation("anna", AccessLevel::BreakGlass, 999_990);
    check(
        "",
        &AccessRequest {
            elevation: Some(&glass),
            ..purge.clone()
        },
        "queue.purge is not allowed in a protected environment: prod",
    );
    let open = AccessRequest {
        protected: false,
        ..purge
    };
    check(
        "",
        &open,
        "queue.purge in prod requires the access level break-glass; yours is operate",
    );
    check(
        "",
        &AccessRequest {
            elevation: Some(&glass),
            ..open
        },
        "allowed",
    );
}

#[test]
fn a_write_needs_its_access_level() {
    let looking = AccessRequest {
        level: AccessLevel::View,
        ..ask("anna", Action::DlqReplay, "prod")
    };
    check(
        "",
        &looking,
        "dlq.replay in prod requires the access level operate; yours is view",
    );
    let fresh = elevation("anna", AccessLevel::Operate, 999_000);
    check(
        "",
        &AccessRequest {
            elevation: Some(&fresh),
            ..looking.clone()
        },
        "allowed",
    );
    let ended = elevation("anna", AccessLevel::Operate, 998_200);
    check(
        "",
        &AccessRequest {
            elevation: Some(&ended),
            ..looking.clone()
        },
        "your elevation in prod ended at 1970-01-12T13:46:40Z",
    );
    let of_another = elevation("ben", AccessLevel::Operate, 999_000);
    check(
        "",
        &AccessRequest {
            elevation: Some(&of_another),
            ..looking.clone()
        },
        "dlq.replay in prod requires the access level operate; yours is view",
    );
    let elsewhere = AccessRequest {
        env: "preprod",
        elevation: Some(&fresh),
        ..looking
    };
    check(
        "",
        &elsewhere,
        "dlq.replay in preprod requires the access level operate; yours is view",
    );
}

#[test]
fn with_an_allow_only_what_is_allowed() {
    check(FILE, &ask("anna", Action::DlqDiscard, "prod"), "allowed");
    check(
        FILE,
        &ask("eve@support.example.com", Action::PaymentReveal, "prod"),
        "allowed",
    );
    check(
        FILE,
        &ask("anna", Action::RolloutAbort, "prod"),
        "anna is not allowed to run rollout.abort in prod: no [[allow]] covers it",
    );
    check(
        FILE,
        &ask("anna", Action::DlqDiscard, "test"),
        "anna is not allowed to run dlq.discard in test: no [[allow]] covers it",
    );
    check(
        FILE,
        &ask("dora", Action::DlqPeek, "prod"),
        "dora is not allowed to run dlq.peek in prod: no [[allow]] covers it",
    );
}

#[test]
fn a_deny_beats_an_allow() {
    check(
        FILE,
        &ask("ben", Action::PaymentCancel, "prod"),
        "ben is not allowed to run payment.cancel in prod: [[deny]] #1 denies it",
    );
    check(FILE, &ask("ben", Action::DlqDiscard, "prod"), "allowed");
}

#[test]
fn an_allow_can_ask_for_a_higher_level_and_never_for_a_lower() {
    let promote = ask("carla", Action::RolloutPromote, "prod");
    check(
        FILE,
        &promote,
        "rollout.promote in prod requires the access level break-glass; yours is operate",
    );
    check(
        FILE,
        &AccessRequest {
            level: AccessLevel::BreakGlass,
            ..promote.clone()
        },
        "rollout.promote in prod requires the access level break-glass; yours is operate",
    );
    let glass = elevation("carla", AccessLevel::BreakGlass, 999_000);
    check(
        FILE,
        &AccessRequest {
            elevation: Some(&glass),
            ..promote
        },
        "allowed",
    );
    let view = "[[allow]]\nwho = ['*']\nwhat = ['*']\nwhere = ['*']\nduty = 'view'";
    let renamed = view.replace("duty", "access");
    assert_eq!(rules(view), rules(&renamed));
    let looking = AccessRequest {
        level: AccessLevel::View,
        ..ask("anna", Action::DlqEdit, "prod")
    };
    check(
        view,
        &looking,
        "dlq.edit in prod requires the access level operate; yours is view",
    );
}

#[test]
fn a_freeze_stops_writes_and_nothing_else() {
    let freeze = freeze();
    let frozen = |action| AccessRequest {
        freeze: Some(&freeze),
        ..ask("anna", action, "prod")
    };
    let stopped = "prod is frozen by dora since 1970-01-11T10:00:00Z: incident 7";
    check("", &frozen(Action::RolloutPromote), stopped);
    check(
        "",
        &frozen(Action::FreezeSet),
        "prod is already frozen by dora since 1970-01-11T10:00:00Z: incident 7",
    );
    for action in [
        Action::FreezeLift,
        Action::PaymentReveal,
        Action::DlqPeek,
        Action::DlqExport,
    ] {
        check("", &frozen(action), "allowed");
    }
    // Nobody is sent to elevate for what is frozen.
    check(
        "",
        &AccessRequest {
            level: AccessLevel::View,
            ..frozen(Action::RolloutPromote)
        },
        stopped,
    );
    check(
        FILE,
        &frozen(Action::RolloutPromote),
        "anna is not allowed to run rollout.promote in prod: no [[allow]] covers it",
    );
}

#[test]
fn breaking_the_glass_acts_in_a_freeze_and_says_so() {
    let (freeze, glass) = (
        freeze(),
        elevation("anna", AccessLevel::BreakGlass, 999_000),
    );
    let frozen = |action| AccessRequest {
        freeze: Some(&freeze),
        elevation: Some(&glass),
        ..ask("anna", action, "prod")
    };
    check(
        "",
        &frozen(Action::RolloutAbort),
        "allowed despite a freeze",
    );
    check("", &frozen(Action::DlqPeek), "allowed");
    let over = Freeze {
        until: Some(now()),
        ..freeze.clone()
    };
    check(
        "",
        &AccessRequest {
            freeze: Some(&over),
            ..frozen(Action::RolloutAbort)
        },
        "allowed",
    );
    // A standing level does not break a glass, nor does one that has ended.
    let stopped = "prod is frozen by dora since 1970-01-11T10:00:00Z: incident 7";
    check(
        "",
        &AccessRequest {
            elevation: None,
            level: AccessLevel::BreakGlass,
            ..frozen(Action::RolloutAbort)
        },
        stopped,
    );
    let ended = elevation("anna", AccessLevel::BreakGlass, 998_000);
    check(
        "",
        &AccessRequest {
            elevation: Some(&ended),
            ..frozen(Action::RolloutAbort)
        },
        stopped,
    );
}

#[test]
fn a_protected_write_needs_a_reason() {
    let silent = |action| AccessRequest {
        reason: Some("  "),
        ..ask("anna", action, "prod")
    };
    check("", &silent(Action::DlqReplay), "a reason is required");
    check(
        "",
        &AccessRequest {
            reason: None,
            ..silent(Action::DlqReplay)
        },
        "a reason is required",
    );
    check("", &silent(Action::DlqPeek), "allowed");
    check(
        "",
        &AccessRequest {
            protected: false,
            ..silent(Action::DlqReplay)
        },
        "allowed",
    );
    check(
        "",
        &AccessRequest {
            protected: false,
            ..silent(Action::PaymentReveal)
        },
        "a reason is required",
    );
    let elevation = elevation("anna", AccessLevel::Operate, 999_000);
    check(
        "",
        &AccessRequest {
            elevation: Some(&elevation),
            ..silent(Action::DlqReplay)
        },
        "allowed",
    );
    let card = AccessRequest {
        protected: false,
        reason: Some("card 4242424242424242"),
        ..ask("anna", Action::DlqReplay, "test")
    };
    assert_eq!(
        PolicyRules::default().decide(&card),
        PolicyDecision::Refused(PolicyRefusal::NeedsReason {
            problem: ReasonError::CardNumber
        })
    );
}

#[test]
fn many_messages_need_a_second_person() {
    let replay = |count| AccessRequest {
        count,
        plan_sha256: Some("aa"),
        ..ask("anna", Action::DlqReplay, "prod")
    };
    let needs = "dlq.replay in prod requires the approval of 1 other person (above 100, see \
        [[four_eyes]] #1); it has 0";
    check(FILE, &replay(Some(100)), "allowed");
    check(FILE, &replay(Some(101)), needs);
    check(FILE, &replay(None), needs);
    check(
        FILE,
        &AccessRequest {
            approvals: &[approval("ben", "aa")],
            ..replay(Some(101))
        },
        "allowed",
    );
    check(
        FILE,
        &AccessRequest {
            approvals: &[approval("anna", "aa")],
            ..replay(Some(101))
        },
        needs,
    );
    check(
        FILE,
        &AccessRequest {
            approvals: &[approval("ben", "bb")],
            ..replay(Some(101))
        },
        needs,
    );
    check(
        FILE,
        &AccessRequest {
            approvals: &[approval("ben", "aa")],
            plan_sha256: None,
            ..replay(Some(101))
        },
        needs,
    );
    let old = Approval {
        at: at(1_000_000 - 86_400),
        ..approval("ben", "aa")
    };
    check(
        FILE,
        &AccessRequest {
            approvals: &[old],
            ..replay(Some(101))
        },
        needs,
    );
}

#[test]
fn large_refunds_need_more_people() {
    let refund = |amount| AccessRequest {
        amount,
        plan_sha256: Some("aa"),
        ..ask("anna", Action::PaymentRefund, "prod")
    };
    let needs = |have| {
        format!(
            "payment.refund in prod requires the approval of 2 other people (above 500.00 EUR, \
                see [[four_eyes]] #2); it has {have}"
        )
    };
    check(FILE, &refund(Some(money(50_000, "EUR"))), "allowed");
    check(FILE, &refund(Some(money(50_001, "EUR"))), &needs(0));
    check(FILE, &refund(None), &needs(0));
    check(
        FILE,
        &AccessRequest {
            approvals: &[approval("ben", "aa"), approval("Ben", "aa")],
            ..refund(None)
        },
        &needs(1),
    );
    check(
        FILE,
        &AccessRequest {
            approvals: &[approval("ben", "aa"), approval("eve", "aa")],
            ..refund(None)
        },
        "allowed",
    );
}

#[test]
fn a_currency_without_a_limit_is_no_way_round() {
    let refund = |amount| AccessRequest {
        amount,
        ..ask("anna", Action::PaymentRefund, "prod")
    };
    let verdict = rules(FILE).decide(&refund(Some(money(1, "USD"))));
    let usd = "USD".parse().expect("USD");
    assert!(
        matches!(verdict, PolicyDecision::Refused(PolicyRefusal::NeedsApproval { above: Above::NoLimitIn(code), .. }) if code == usd),
        "{verdict:?}"
    );
    let both = format!(
        "{FILE}[[four_eyes]]\nwhat = ['*']\nwhere = ['*']\nabove_minor = 70000\ncurrency = 'USD'"
    );
    check(&both, &refund(Some(money(60_000, "USD"))), "allowed");
    let above = Above::Amount {
        minor: 70_000,
        currency: "USD".parse().expect("USD"),
    };
    let refusal = rules(&both)
        .decide(&refund(Some(money(70_001, "USD"))))
        .refusal()
        .cloned();
    assert!(
        matches!(refusal, Some(PolicyRefusal::NeedsApproval { above: got, .. }) if got == above),
        "{refusal:?}"
    );
    // What pays nothing is not measured in money.
    check(&both, &ask("anna", Action::DlqDiscard, "prod"), "allowed");
}

#[test]
fn the_strictest_of_several_rules_counts() {
    let file = "[[four_eyes]]\nwhat = ['dlq.*']\nwhere = ['*']\n[[four_eyes]]\nwhat = \
        ['dlq.redrive']\nwhere = ['*']\napprovals = 3";
    let redrive = ask("anna", Action::DlqRedrive, "test");
    check(
        file,
        &redrive,
        "dlq.redrive in test requires the approval of 3 other people (always, see \
            [[four_eyes]] #2); it has 0",
    );
    assert_eq!(
        Above::Amount {
            minor: 5,
            currency: eur()
        }
        .to_string(),
        "above 0.05 EUR"
    );
}

#[test]
fn a_mistake_in_the_file_names_its_rule() {
    let rule = |what: &str, rest: &str| {
        format!(
            "[[deny]]\nwho = ['anna']\nwhat = ['dlq.*']\nwhere = ['prod']\n[[deny]]\nwho = \
                ['ben']\nwhat = [{what}]\nwhere = ['prod']\n{rest}"
        )
    };
    let second = || "[[deny]] #2".to_owned();
    invalid(
        &rule("'dlq.reply'", ""),
        &RulesError::NoSuchAction {
            rule: second(),
            what: "dlq.reply".into(),
        },
    );
    invalid(
        &rule("'queues.*'", ""),
        &RulesError::NoSuchAction {
            rule: second(),
            what: "queues.*".into(),
        },
    );
    invalid(
        &rule("", ""),
        &RulesError::Empty {
            rule: second(),
            member: "what",
        },
    );
    let first = |text: &str, table: &str| (text.to_owned(), format!("[[{table}]] #1"));
    let (file, name) = first(
        "[[allow]]\nwho = ['group:sre']\nwhat = ['*']\nwhere = ['*']",
        "allow",
    );
    invalid(
        &file,
        &RulesError::NoSuchGroup {
            rule: name,
            group: "sre".into(),
        },
    );
    let (file, name) = first(
        "[[four_eyes]]\nwhat = ['*']\nwhere = ['*']\nabove_minor = 5",
        "four_eyes",
    );
    invalid(&file, &RulesError::HalfAmount { rule: name });
    let (file, name) = first(
        "[[four_eyes]]\nwhat = ['*']\nwhere = ['*']\napprovals = 0",
        "four_eyes",
    );
    invalid(&file, &RulesError::NoApprovals { rule: name });
    invalid(
        "[groups]\na = ['group:b']\nb = []",
        &RulesError::Nested { group: "a".into() },
    );
}

#[test]
fn what_the_file_may_not_say_is_refused() {
    for file in [
        "[[alow]]\nwho = ['*']",
        "[[deny]]\nwho = ['*']\nwhat = ['*']",
        "[[deny]]\nwho = ['*']\nwhat = ['*']\nwhere = ['*']\nabove = 5",
        "[[four_eyes]]\nwhat = ['*']\nwhere = ['*']\nabove = -1",
        "[[allow]]\nwho = ['*']\nwhat = ['*']\nwhere = ['*']\nduty = 'admin'",
    ] {
        assert!(toml::from_str::<PolicyRules>(file).is_err(), "{file}");
    }
}

#[test]
fn environments_are_checked_against_those_there_are() {
    let rules = rules(FILE);
    assert_eq!(rules.check_envs(&["prod", "test"]), Ok(()));
    assert_eq!(
        rules.check_envs(&["test"]),
        Err(RulesError::NoSuchEnv {
            rule: "[[allow]] #1".into(),
            place: "prod".into()
        })
    );
}

#[test]
fn rules_are_written_as_they_were_read() {
    let rules = rules(FILE);
    let text = toml::to_string(&rules).expect("TOML");
    assert_eq!(toml::from_str::<PolicyRules>(&text).expect("rules"), rules);
}

#[test]
fn every_refusal_says_what_to_do_next() {
    let refusal = rules(FILE)
        .decide(&AccessRequest::new(
            "carla",
            Action::FreezeSet,
            "prod",
            now(),
        ))
        .refusal()
        .cloned()
        .expect("refused");
    assert_eq!(
        refusal.hint(),
        "elevate with: payops account login --env prod --access break-glass --reason TEXT"
    );
    let json = serde_json::to_string(&PolicyDecision::Refused(refusal)).expect("JSON");
    assert_eq!(
        json,
        r#"{"refused":{"kind":"not_elevated","action":"freeze.set","env":"prod","needs":"break-glass","has":"view"}}"#
    );
}
