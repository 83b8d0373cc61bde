"""End to end: what a merchant sees of a payment, through every service behind the API."""
from .client import name, payment


class Stopped(Exception):
    """What the rest of a function builds on is not there."""


def make(checks, client, options, what="a payment is accepted", **members):
    answer = client.post("/v1/payments", payment(**{"source": options.source, **members}))
    if not checks.equal((answer.status, answer.code), (202, None), what):
        raise Stopped("without it there is nothing to look at")
    return answer.json["id"]


def end_of(client, identifier, seconds):
    body = client.wait_for_end(identifier, seconds)
    if not body:
        raise Stopped(f"{identifier} cannot be read")
    return body


def an_approved_card(checks, client, options):
    identifier = make(checks, client, options, reference="e2e-approved")
    end = end_of(client, identifier, options.wait)
    checks.equal(end["status"], "completed", "it completes")
    checks.that(end["charge"] and len(end["charge"]["card_last4"] or "") == 4, "the charge names the card's last digits", end["charge"])
    path = f"/v1/payments/{identifier}/events"
    wanted = {"accepted", "archived", "attempt", "completed", "ledger", "indexed", "receipt"}
    events = client.wait(path, lambda body: wanted <= {event["type"] for event in body["data"]}, options.wait)
    kinds = [event["type"] for event in events["data"]]
    checks.that(wanted <= set(kinds), "ledger, index and receipt follow", f"{sorted(wanted - set(kinds))} are missing")
    checks.equal(kinds.count("completed"), 1, "it completes once")
    checks.equal([event["seq"] for event in events["data"]], list(range(1, len(kinds) + 1)), "the timeline has no gap")


def a_declined_card(checks, client, options):
    identifier = make(checks, client, options, source=options.declined)
    end = end_of(client, identifier, options.wait)
    checks.equal(end["status"], "failed", "it fails")
    checks.that(end["failure"] and end["failure"]["code"], "with a code", end["failure"])
    checks.equal(end["charge"], None, "and without a charge")


def a_refund_in_two_parts(checks, client, options):
    identifier = make(checks, client, options, amount=1000)
    end_of(client, identifier, options.wait)
    path = f"/v1/payments/{identifier}"
    checks.equal(client.post(f"{path}/refunds", {"amount": 400, "reason": "e2e"}).status, 202, "a part is given back")
    body = client.wait(path, lambda body: body["status"] == "partially_refunded", options.wait)
    checks.equal((body["status"], body["amount_refundable"]), ("partially_refunded", 600), "the rest is left")
    answer = client.post(f"{path}/refunds", {"amount": 601})
    checks.equal((answer.status, answer.code), (422, "refund_too_large"), "more than the rest is refused")
    checks.equal(client.post(f"{path}/refunds", {}).status, 202, "the rest is given back")
    body = client.wait(path, lambda body: body["status"] == "refunded", options.wait)
    checks.equal((body["status"], body["amount_refunded"]), ("refunded", 1000), "all of it is")


def a_cancel_that_comes_late(checks, client, options):
    identifier = make(checks, client, options)
    end_of(client, identifier, options.wait)
    answer = client.post(f"/v1/payments/{identifier}/cancel", {})
    checks.equal((answer.status, answer.code), (409, "payment_not_cancelable"), "a completed payment is not canceled")


def currencies_without_and_with_three_decimals(checks, client, options):
    for currency, amount in (("JPY", 1250), ("KWD", 1250)):
        identifier = make(checks, client, options, f"{currency} is accepted", currency=currency, amount=amount)
        end = end_of(client, identifier, options.wait)
        checks.equal((end["status"], end["amount"], end["currency"]), ("completed", amount, currency), f"{currency} keeps its minor units")


def no_card_number_comes_in(checks, client, options):
    number = "4242424242424242"
    answer = client.post("/v1/payments", payment(reference=number))
    checks.equal((answer.status, answer.code), (400, "card_number_not_allowed"), "a card number is refused")
    checks.that(number.encode() not in answer.body, "and not repeated")


def the_list_shows_it(checks, client, options):
    identifier = make(checks, client, options, reference=f"e2e-{name(8)}")
    body = client.wait("/v1/payments?limit=50", lambda body: any(p["id"] == identifier for p in body["data"]), options.wait)
    checks.that(any(p["id"] == identifier for p in body["data"]), "a payment appears in the list")
    page = client.get("/v1/payments?limit=1").json
    if page["has_more"]:
        following = client.get(f"/v1/payments?limit=1&cursor={page['next_cursor']}").json
        checks.that(following["data"][0]["id"] != page["data"][0]["id"], "the next page is another one")
    checks.equal(client.get("/v1/payments?cursor=x").code, "invalid_cursor", "a made-up cursor is refused")


def another_merchant_sees_nothing(checks, client, options):
    if not options.other_key:
        checks.skip("isolation", "PAYOPS_OTHER_API_KEY is not set")
        return
    identifier = make(checks, client, options)
    other = client.with_key(options.other_key)
    checks.equal(other.get(f"/v1/payments/{identifier}").code, "payment_not_found", "it is not found")
    checks.equal(other.post(f"/v1/payments/{identifier}/refunds", {}).code, "payment_not_found", "and not refunded")


def an_acquirer_that_fails(checks, client, options):
    if options.acquirer != "simulated":
        checks.skip("acquirer", "a real one fails when it likes")
        return
    for source, why in (("tok_flaky", "that fails twice"), ("tok_timeout_charged", "that charges and then says nothing")):
        identifier = make(checks, client, options, source=source)
        end = end_of(client, identifier, options.wait * 3)
        checks.equal(end["status"], "completed", f"a payment at an acquirer {why} completes")
        checks.equal(client.events(identifier).count("completed"), 1, "and does so once")


SUITE = [
    an_approved_card, a_declined_card, a_refund_in_two_parts, a_cancel_that_comes_late,
    currencies_without_and_with_three_decimals, no_card_number_comes_in, the_list_shows_it,
    another_merchant_sees_nothing, an_acquirer_that_fails,
]
