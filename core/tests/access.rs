//! The policy file as it is written, and what is decided by it.

#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::access::{
    Above, Approval, Ask, Deed, Duty, Elevation, Freeze, ReasonError, Refusal, Rules, RulesError,
    Verdict,
};
use payops_core::domain::money::{Currency, Money};

const ALLOWED: Verdict = Verdict::Allowed {
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
    duty = "break-glass"
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

fn rules(text: &str) -> Rules {
    toml::from_str(text).expect("rules")
}

fn ask<'a>(who: &'a str, deed: Deed, env: &'a str) -> Ask<'a> {
    Ask {
        duty: Duty::Operate,
        reason: Some("ticket 7"),
        ..Ask::new(who, deed, env, now())
    }
}

fn elevation(who: &str, duty: Duty, begun: i64) -> Elevation {
    Elevation::begin(
        who,
        "prod",
        duty,
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
fn check(file: &str, ask: &Ask<'_>, expected: &str) {
    let got = match rules(file).decide(ask) {
        Verdict::Allowed {
            despite_freeze: false,
        } => "allowed".to_owned(),
        Verdict::Allowed {
            despite_freeze: true,
        } => "allowed despite a freeze".to_owned(),
        Verdict::Refused(refusal) => refusal.to_string(),
    };
    assert_eq!(got, expected);
}

#[track_caller]
fn invalid(file: &str, expected: &RulesError) {
    let error = toml::from_str::<Rules>(file)
        .expect_err("invalid")
        .to_string();
    assert!(error.contains(&expected.to_string()), "{error}");
}

#[test]
fn without_a_file_everybody_may_what_their_duty_allows() {
    assert_eq!(rules(""), Rules::default());
    for deed in Deed::ALL.iter().filter(|deed| **deed != Deed::DlqPurge) {
        assert_eq!(
            Rules::default().decide(&ask("anna", *deed, "prod")),
            ALLOWED,
            "{deed}"
        );
    }
    let many = Ask {
        count: None,
        ..ask("anna", Deed::DlqReplay, "prod")
    };
    check("", &many, "allowed");
    check(
        "",
        &Ask::new("anna", Deed::DlqPeek, "prod", now()),
        "allowed",
    );
}

#[test]
fn a_purge_is_never_done_where_it_is_protected() {
    let purge = ask("anna", Deed::DlqPurge, "prod");
    check(
        "",
        &purge,
        "dlq.purge is never done in prod, which is protected",
    );
    let glass = elevation("anna", Duty::BreakGlass, 999_990);
    check(
        "",
        &Ask {
            elevation: Some(&glass),
            ..purge.clone()
        },
        "dlq.purge is never done in prod, which is protected",
    );
    check(
        "",
        &Ask {
            protected: false,
            ..purge
        },
        "allowed",
    );
}

#[test]
fn a_write_needs_the_duty() {
    let looking = Ask {
        duty: Duty::View,
        ..ask("anna", Deed::DlqReplay, "prod")
    };
    check(
        "",
        &looking,
        "dlq.replay in prod needs the duty operate, and this is view",
    );
    let fresh = elevation("anna", Duty::Operate, 999_000);
    check(
        "",
        &Ask {
            elevation: Some(&fresh),
            ..looking.clone()
        },
        "allowed",
    );
    let ended = elevation("anna", Duty::Operate, 998_200);
    check(
        "",
        &Ask {
            elevation: Some(&ended),
            ..looking.clone()
        },
        "the elevation in prod ended at 1970-01-12T13:46:40Z",
    );
    let of_another = elevation("ben", Duty::Operate, 999_000);
    check(
        "",
        &Ask {
            elevation: Some(&of_another),
            ..looking.clone()
        },
        "dlq.replay in prod needs the duty operate, and this is view",
    );
    let elsewhere = Ask {
        env: "preprod",
        elevation: Some(&fresh),
        ..looking
    };
    check(
        "",
        &elsewhere,
        "dlq.replay in preprod needs the duty operate, and this is view",
    );
}

#[test]
fn with_an_allow_only_what_is_allowed() {
    check(FILE, &ask("anna", Deed::DlqDiscard, "prod"), "allowed");
    check(
        FILE,
        &ask("eve@support.example.com", Deed::PaymentReveal, "prod"),
        "allowed",
    );
    check(
        FILE,
        &ask("anna", Deed::RolloutAbort, "prod"),
        "anna is not allowed rollout.abort in prod: no [[allow]] covers it",
    );
    check(
        FILE,
        &ask("anna", Deed::DlqDiscard, "test"),
        "anna is not allowed dlq.discard in test: no [[allow]] covers it",
    );
    check(
        FILE,
        &ask("dora", Deed::DlqPeek, "prod"),
        "dora is not allowed dlq.peek in prod: no [[allow]] covers it",
    );
}

#[test]
fn a_deny_beats_an_allow() {
    check(
        FILE,
        &ask("ben", Deed::PaymentCancel, "prod"),
        "ben is not allowed payment.cancel in prod: [[deny]] #1 denies it",
    );
    check(FILE, &ask("ben", Deed::DlqDiscard, "prod"), "allowed");
}

#[test]
fn an_allow_can_ask_for_a_higher_duty_and_never_for_a_lower() {
    let promote = ask("carla", Deed::RolloutPromote, "prod");
    check(
        FILE,
        &promote,
        "rollout.promote in prod needs the duty break-glass, and this is operate",
    );
    check(
        FILE,
        &Ask {
            duty: Duty::BreakGlass,
            ..promote.clone()
        },
        "rollout.promote in prod needs the duty break-glass, and this is operate",
    );
    let glass = elevation("carla", Duty::BreakGlass, 999_000);
    check(
        FILE,
        &Ask {
            elevation: Some(&glass),
            ..promote
        },
        "allowed",
    );
    let view = "[[allow]]\nwho = ['*']\nwhat = ['*']\nwhere = ['*']\nduty = 'view'";
    let looking = Ask {
        duty: Duty::View,
        ..ask("anna", Deed::DlqEdit, "prod")
    };
    check(
        view,
        &looking,
        "dlq.edit in prod needs the duty operate, and this is view",
    );
}

#[test]
fn a_freeze_stops_writes_and_nothing_else() {
    let freeze = freeze();
    let frozen = |deed| Ask {
        freeze: Some(&freeze),
        ..ask("anna", deed, "prod")
    };
    let stopped = "prod is frozen by dora since 1970-01-11T10:00:00Z: incident 7";
    check("", &frozen(Deed::RolloutPromote), stopped);
    check("", &frozen(Deed::FreezeSet), stopped);
    for deed in [
        Deed::FreezeLift,
        Deed::PaymentReveal,
        Deed::DlqPeek,
        Deed::DlqExport,
    ] {
        check("", &frozen(deed), "allowed");
    }
    // Nobody is sent to elevate for what is frozen.
    check(
        "",
        &Ask {
            duty: Duty::View,
            ..frozen(Deed::RolloutPromote)
        },
        stopped,
    );
    check(
        FILE,
        &frozen(Deed::RolloutPromote),
        "anna is not allowed rollout.promote in prod: no [[allow]] covers it",
    );
}

#[test]
fn breaking_the_glass_acts_in_a_freeze_and_says_so() {
    let (freeze, glass) = (freeze(), elevation("anna", Duty::BreakGlass, 999_000));
    let frozen = |deed| Ask {
        freeze: Some(&freeze),
        elevation: Some(&glass),
        ..ask("anna", deed, "prod")
    };
    check("", &frozen(Deed::RolloutAbort), "allowed despite a freeze");
    check("", &frozen(Deed::DlqPeek), "allowed");
    let over = Freeze {
        until: Some(now()),
        ..freeze.clone()
    };
    check(
        "",
        &Ask {
            freeze: Some(&over),
            ..frozen(Deed::RolloutAbort)
        },
        "allowed",
    );
    // A standing duty does not break a glass, nor does one that has ended.
    let stopped = "prod is frozen by dora since 1970-01-11T10:00:00Z: incident 7";
    check(
        "",
        &Ask {
            elevation: None,
            duty: Duty::BreakGlass,
            ..frozen(Deed::RolloutAbort)
        },
        stopped,
    );
    let ended = elevation("anna", Duty::BreakGlass, 998_000);
    check(
        "",
        &Ask {
            elevation: Some(&ended),
            ..frozen(Deed::RolloutAbort)
        },
        stopped,
    );
}

#[test]
fn a_protected_write_needs_a_reason() {
    let silent = |deed| Ask {
        reason: Some("  "),
        ..ask("anna", deed, "prod")
    };
    check("", &silent(Deed::DlqReplay), "a reason is needed");
    check(
        "",
        &Ask {
            reason: None,
            ..silent(Deed::DlqReplay)
        },
        "a reason is needed",
    );
    check("", &silent(Deed::DlqPeek), "allowed");
    check(
        "",
        &Ask {
            protected: false,
            ..silent(Deed::DlqReplay)
        },
        "allowed",
    );
    check(
        "",
        &Ask {
            protected: false,
            ..silent(Deed::PaymentReveal)
        },
        "a reason is needed",
    );
    let elevation = elevation("anna", Duty::Operate, 999_000);
    check(
        "",
        &Ask {
            elevation: Some(&elevation),
            ..silent(Deed::DlqReplay)
        },
        "allowed",
    );
    let card = Ask {
        protected: false,
        reason: Some("card 4242424242424242"),
        ..ask("anna", Deed::DlqReplay, "test")
    };
    assert_eq!(
        Rules::default().decide(&card),
        Verdict::Refused(Refusal::NeedsReason {
            problem: ReasonError::CardNumber
        })
    );
}

#[test]
fn many_messages_need_a_second_person() {
    let replay = |count| Ask {
        count,
        plan_sha256: Some("aa"),
        ..ask("anna", Deed::DlqReplay, "prod")
    };
    let needs = "dlq.replay in prod needs the approval of 1 other person (above 100, by \
        [[four_eyes]] #1); 0 given";
    check(FILE, &replay(Some(100)), "allowed");
    check(FILE, &replay(Some(101)), needs);
    check(FILE, &replay(None), needs);
    check(
        FILE,
        &Ask {
            approvals: &[approval("ben", "aa")],
            ..replay(Some(101))
        },
        "allowed",
    );
    check(
        FILE,
        &Ask {
            approvals: &[approval("anna", "aa")],
            ..replay(Some(101))
        },
        needs,
    );
    check(
        FILE,
        &Ask {
            approvals: &[approval("ben", "bb")],
            ..replay(Some(101))
        },
        needs,
    );
    check(
        FILE,
        &Ask {
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
        &Ask {
            approvals: &[old],
            ..replay(Some(101))
        },
        needs,
    );
}

#[test]
fn large_refunds_need_more_people() {
    let refund = |amount| Ask {
        amount,
        plan_sha256: Some("aa"),
        ..ask("anna", Deed::PaymentRefund, "prod")
    };
    let needs = |have| {
        format!(
            "payment.refund in prod needs the approval of 2 other people (above 500.00 EUR, by \
                [[four_eyes]] #2); {have} given"
        )
    };
    check(FILE, &refund(Some(money(50_000, "EUR"))), "allowed");
    check(FILE, &refund(Some(money(50_001, "EUR"))), &needs(0));
    check(FILE, &refund(None), &needs(0));
    check(
        FILE,
        &Ask {
            approvals: &[approval("ben", "aa"), approval("Ben", "aa")],
            ..refund(None)
        },
        &needs(1),
    );
    check(
        FILE,
        &Ask {
            approvals: &[approval("ben", "aa"), approval("eve", "aa")],
            ..refund(None)
        },
        "allowed",
    );
}

#[test]
fn a_currency_without_a_limit_is_no_way_round() {
    let refund = |amount| Ask {
        amount,
        ..ask("anna", Deed::PaymentRefund, "prod")
    };
    let verdict = rules(FILE).decide(&refund(Some(money(1, "USD"))));
    let usd = "USD".parse().expect("USD");
    assert!(
        matches!(verdict, Verdict::Refused(Refusal::NeedsApproval { above: Above::NoLimitIn(code), .. }) if code == usd),
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
        matches!(refusal, Some(Refusal::NeedsApproval { above: got, .. }) if got == above),
        "{refusal:?}"
    );
    // What pays nothing is not measured in money.
    check(&both, &ask("anna", Deed::DlqDiscard, "prod"), "allowed");
}

#[test]
fn the_strictest_of_several_rules_counts() {
    let file = "[[four_eyes]]\nwhat = ['dlq.*']\nwhere = ['*']\n[[four_eyes]]\nwhat = \
        ['dlq.redrive']\nwhere = ['*']\napprovals = 3";
    let redrive = ask("anna", Deed::DlqRedrive, "test");
    check(
        file,
        &redrive,
        "dlq.redrive in test needs the approval of 3 other people (always, by [[four_eyes]] #2); 0 \
            given",
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
        &RulesError::NoSuchDeed {
            rule: second(),
            what: "dlq.reply".into(),
        },
    );
    invalid(
        &rule("'queue.*'", ""),
        &RulesError::NoSuchDeed {
            rule: second(),
            what: "queue.*".into(),
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
        assert!(toml::from_str::<Rules>(file).is_err(), "{file}");
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
    assert_eq!(toml::from_str::<Rules>(&text).expect("rules"), rules);
}

#[test]
fn every_refusal_says_what_to_do_next() {
    let refusal = rules(FILE)
        .decide(&Ask::new("carla", Deed::FreezeSet, "prod", now()))
        .refusal()
        .cloned()
        .expect("refused");
    assert_eq!(
        refusal.instead(),
        "elevate to break-glass in prod, with a reason"
    );
    let json = serde_json::to_string(&Verdict::Refused(refusal)).expect("JSON");
    assert_eq!(
        json,
        r#"{"refused":{"kind":"not_elevated","deed":"freeze.set","env":"prod","needs":"break-glass","has":"view"}}"#
    );
}
