//! The payment search, and one payment.

use super::*;

#[test]
fn a_search_waits_until_nothing_is_typed() {
    let mut model = search();
    let effects = press(&mut model, "/");
    assert_eq!(find_search(&effects), None);
    assert_eq!(find_search(&type_text(&mut model, "42")), None);
    assert_eq!(wake_at(&model), Some(later(120)));
    assert_eq!(find_search(&tick(&mut model, 119)), None);
    // Another character starts the wait again.
    assert_eq!(find_search(&type_text(&mut model, "4")), None);
    assert_eq!(find_search(&tick(&mut model, 238)), None);
    assert_eq!(
        find_search(&tick(&mut model, 239))
            .map(|(_, text)| text)
            .as_deref(),
        Some("424")
    );
    assert_eq!(find_search(&tick(&mut model, 240)), None);
}

#[test]
fn answers_to_earlier_queries_are_dropped() {
    let mut model = search();
    press(&mut model, "/");
    type_text(&mut model, "a");
    let (old, _) = find_search(&tick(&mut model, 200)).expect("asked");
    type_text(&mut model, "b");
    let (new, _) = find_search(&tick(&mut model, 400)).expect("asked");
    let one = |number| SearchResult {
        docs: vec![doc(number, Status::Completed, 5)],
        total: 1,
        ..search_result()
    };
    answer(
        &mut model,
        old,
        "prod",
        Answer::Search(Ok(Box::new(one(50)))),
    );
    assert_eq!(
        model.payments.results.value().map(|found| found.total),
        Some(4_512)
    );
    answer(
        &mut model,
        new,
        "prod",
        Answer::Search(Ok(Box::new(one(51)))),
    );
    assert_eq!(
        model.payments.results.value().map(|found| found.total),
        Some(1)
    );
}

#[test]
fn a_new_search_begins_at_its_first_row() {
    let mut model = search();
    press(&mut model, "down down");
    assert_eq!(model.payments.cursor.row, 2);
    press(&mut model, "/");
    type_text(&mut model, "a");
    let (request, _) = find_search(&tick(&mut model, 200)).expect("asked");
    let found = || Answer::Search(Ok(Box::new(search_result())));
    answer(&mut model, request, "prod", found());
    assert_eq!(model.payments.cursor.row, 0);
    // A refresh of the same search moves nothing.
    press(&mut model, "enter down");
    let (request, _) = find_search(&tick(&mut model, 9_000)).expect("asked again");
    answer(&mut model, request, "prod", found());
    assert_eq!(model.payments.cursor.row, 1);
}

#[test]
fn old_results_stay_dimmed_until_new_ones_come() {
    let mut model = search();
    let colour = |model: &mut Model| style_of(model, "✔ completed", (120, 40)).fg;
    assert_eq!(colour(&mut model), Some(ratatui::style::Color::Green));
    press(&mut model, "/");
    type_text(&mut model, "a");
    let (request, _) = find_search(&tick(&mut model, 200)).expect("asked");
    assert_eq!(
        colour(&mut model),
        Some(ratatui::style::Color::Indexed(245))
    );
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Ok(Box::new(search_result()))),
    );
    assert_eq!(colour(&mut model), Some(ratatui::style::Color::Green));
}

#[test]
fn an_invalid_query_is_explained_and_not_sent() {
    let mut model = search();
    press(&mut model, "/");
    type_text(&mut model, "colour:red");
    assert_eq!(find_search(&tick(&mut model, 5_000)), None);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("unknown field `colour`; fields are id, email"),
        "{screen}"
    );
}

#[test]
fn a_card_number_is_neither_shown_nor_sent() {
    let mut model = search();
    press(&mut model, "/");
    update(&mut model, Msg::Paste("4242 4242 4242 4242".to_owned()));
    assert_eq!(find_search(&tick(&mut model, 5_000)), None);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("looks like a card number")
            && !SECRETS.iter().any(|secret| screen.contains(secret)),
        "{screen}"
    );
}

#[test]
fn fields_are_completed_and_esc_takes_the_text_away() {
    let mut model = search();
    press(&mut model, "/");
    type_text(&mut model, "stat");
    press(&mut model, "tab");
    type_text(&mut model, "fa");
    press(&mut model, "tab");
    assert_eq!(model.payments.filter.text(), "status:failed");
    press(&mut model, "esc");
    assert_eq!(
        (model.payments.filter.text(), model.payments.filter.open),
        ("", false)
    );
    assert_eq!(model.route(), &Route::Payments);
}

#[test]
fn payments_of_another_environment_are_not_shown_as_of_this_one() {
    let mut model = search();
    let effects = press(&mut model, "e down down enter");
    let (request, env) = find_request(&effects, |request| {
        matches!(request, Request::Search { .. })
    })
    .expect("asked");
    assert_eq!(env, "test");
    assert!(model.payments.results.value().is_none());
    answer(
        &mut model,
        request,
        "test",
        Answer::Search(Ok(Box::new(search_result()))),
    );
    assert!(model.payments.results.value().is_some());
}

#[test]
fn a_payment_is_read_again_only_while_it_moves() {
    let moving = payops_core::domain::payment::Payment {
        status: Status::Processing,
        dead: None,
        refunds: Vec::new(),
        ..payment()
    };
    let (mut model, _) = detail(payment_answer(moving));
    let read = |effects: &[Effect]| {
        find_request(effects, |request| matches!(request, Request::Payment(_))).is_some()
    };
    assert!(!read(&tick(&mut model, 1_999)));
    assert!(read(&tick(&mut model, 2_000)));
    let (mut model, _) = detail(payment_answer(payment()));
    assert!(!read(&tick(&mut model, 3_600_000)));
    assert!(read(&press(&mut model, "ctrl-r")));
}

#[test]
fn a_dead_payment_leads_to_its_dead_letter_and_back() {
    let (mut model, _) = detail(payment_answer(dead_payment()));
    let effects = press(&mut model, "d");
    assert_eq!(model.route(), &Route::DeadLetters);
    let queue = effects.iter().find_map(|effect| match effect {
        Effect::Request { id, request, .. } => match &**request {
            Request::DeadLetters { queue } => Some((*id, queue.clone())),
            _ => None,
        },
        _ => None,
    });
    let (request, queue) = queue.expect("looked");
    assert_eq!(queue.as_deref(), Some("payments-work-dlq"));
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(0))),
    );
    press(&mut model, "enter");
    assert_eq!(model.route(), &Route::DeadLetter("m-07".to_owned()));
    press(&mut model, "p");
    assert_eq!(model.route(), &Route::Payment(payment_id(7)));
    let (mut model, _) = detail(payment_answer(payment()));
    press(&mut model, "d");
    assert!(snap(&mut model, 120, 40).contains("this payment has no dead letter"));
}
