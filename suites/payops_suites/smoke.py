"""Smoke: does this version take a payment and bring it to an end. Short, and kind to a live system."""
from .client import ENDS, name, payment


def answers(checks, client, options):
    answer = client.get("/openapi.json")
    checks.equal(answer.status, 200, "the API's document is served")


def refuses_a_stranger(checks, client, options):
    answer = client.with_key(None).post("/v1/payments", payment())
    checks.equal((answer.status, answer.code), (401, "api_key_missing"), "no key, no payment")


def takes_a_payment_to_its_end(checks, client, options):
    key, body = name(), payment(100, source=options.source, reference=f"smoke-{name(8)}")
    first = client.post("/v1/payments", body, key)
    if not checks.equal(first.status, 202, "a payment is accepted"):
        return
    again = client.post("/v1/payments", body, key)
    checks.equal(again.body, first.body, "the same request gives the same bytes")
    checks.equal(again.headers.get("idempotent-replayed"), "true", "and says that it is a replay")
    other = client.post("/v1/payments", {**body, "amount": 101}, key)
    checks.equal((other.status, other.code), (422, "idempotency_key_reused"), "another request with that key is refused")

    identifier = first.json["id"]
    checks.equal(client.get(f"/v1/payments/{identifier}").json.get("id"), identifier, "it can be read")
    wanted = ENDS - {"review"} if options.end == "any" else {options.end}
    end = client.wait_for_end(identifier, options.wait)
    checks.that(end.get("status") in wanted, f"it ends within {options.wait} s",
                f"{identifier} is {end.get('status')!r}, not {' or '.join(sorted(wanted))}")
    if options.refund and end.get("status") == "completed":
        path = f"/v1/payments/{identifier}"
        checks.equal(client.post(f"{path}/refunds", {"reason": "smoke test"}).status, 202, "the money is asked back")
        back = client.wait(path, lambda body: body["status"] == "refunded", options.wait)
        checks.equal(back.get("status"), "refunded", f"it is given back within {options.wait} s")


SUITE = [answers, refuses_a_stranger, takes_a_payment_to_its_end]
