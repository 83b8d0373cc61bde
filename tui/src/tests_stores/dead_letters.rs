//! Browsing dead letters.

use super::*;

#[test]
fn dead_letters_are_browsed_once_and_on_request() {
    let mut model = dead(14);
    let looked = |effects: &[Effect]| {
        find_request(effects, |request| {
            matches!(request, Request::DeadLetters { .. })
        })
    };
    assert_eq!(looked(&tick(&mut model, 3_600_000)), None);
    assert_eq!(looked(&press(&mut model, "1 4")), None);
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("browsing cost 14 receives"), "{screen}");
    let (request, _) = looked(&press(&mut model, "ctrl-r")).expect("looked again");
    // A failure is not retried by itself, and the old list stays.
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Err(store_down())),
    );
    assert_eq!(looked(&tick(&mut model, 7_200_000)), None);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("the refresh failed") && screen.contains("provider_timeout"),
        "{screen}"
    );
}

#[test]
fn causes_are_grouped_and_opened() {
    let mut model = dead(0);
    press(&mut model, "g");
    let rows = |model: &Model| crate::views::list(model).map(|(_, rows)| rows);
    assert_eq!(rows(&model), Some(3));
    press(&mut model, "down enter");
    assert_eq!(rows(&model), Some(3));
    assert!(snap(&mut model, 120, 40).contains("provider_timeout only"));
    press(&mut model, "esc g");
    assert_eq!(rows(&model), Some(18));
}

#[test]
fn a_dead_letter_opens_after_a_moment() {
    let mut model = dead(0);
    let opens = |effects: &[Effect]| {
        find_request(effects, |request| matches!(request, Request::DeadLetter(_)))
    };
    assert_eq!(opens(&tick(&mut model, 10)), None);
    assert_eq!(opens(&press(&mut model, "down down")), None);
    assert_eq!(opens(&tick(&mut model, 20)), None);
    let (request, _) = opens(&tick(&mut model, 400)).expect("opened");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetter(Ok(Box::new(contents(&letter(
            2,
            "payments-work-dlq",
            "schema_error",
            "x",
        ))))),
    );
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("request ") && screen.contains("\"12.50\""),
        "{screen}"
    );
    assert_eq!(
        opens(&press(&mut model, "enter")),
        None,
        "it is known already"
    );
}

#[test]
fn queues_lead_to_their_dead_letters() {
    let mut model = full(Tab::Overview);
    let effects = press(&mut model, "3 enter");
    assert_eq!(model.route(), &Route::DeadLetters);
    let asks = |request: &Request| matches!(request, Request::DeadLetters { queue: Some(queue) } if queue == "payments-work-dlq");
    assert!(find_request(&effects, asks).is_some());
    press(&mut model, "esc down enter");
    assert_eq!(model.route(), &Route::Queues);
    assert!(snap(&mut model, 120, 40).contains("notifications-dlq is empty"));
}
