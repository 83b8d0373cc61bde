"""Regression: what clients of earlier versions rely on still holds: the document's promises, and refusals
word for word in status and code."""
import json
from pathlib import Path

from .client import payment

HERE = Path(__file__).resolve().parent


def the_document_takes_nothing_back(checks, client, options):
    before = json.loads((HERE / "openapi.json").read_text())
    now = client.get("/openapi.json").json
    losses = list(missing(before, now, "paths")) + list(schemas(before, now))
    checks.that(not losses, "every path, member and value of the document is still there", "; ".join(losses[:10]))


def missing(before, now, part):
    for path, methods in before[part].items():
        for method, operation in methods.items():
            other = now[part].get(path, {}).get(method)
            if other is None:
                yield f"{method.upper()} {path} is gone"
                continue
            for status in operation["responses"]:
                if status not in other["responses"]:
                    yield f"{method.upper()} {path} no longer answers {status}"
            known = {p["name"]: p for p in operation.get("parameters", [])}
            for parameter in other.get("parameters", []):
                if parameter.get("required") and not known.get(parameter["name"], {}).get("required"):
                    yield f"{method.upper()} {path} now demands {parameter['name']}"


def schemas(before, now):
    for name, schema in before["components"]["schemas"].items():
        other = now["components"]["schemas"].get(name)
        if other is None:
            yield f"{name} is gone"
            continue
        for member in schema.get("properties", {}):
            if member not in other.get("properties", {}):
                yield f"{name}.{member} is gone"
        if name.endswith("Request"):
            for member in other.get("required", []):
                if member not in schema.get("required", []):
                    yield f"{name} now demands {member}"
        else:
            for member in schema.get("required", []):
                if member not in other.get("required", []):
                    yield f"{name}.{member} may now be left out"
        for value in schema.get("enum", []):
            if value not in other.get("enum", [value]):
                yield f"{name} no longer has {value}"


REFUSALS = [
    ("amount as text", {**payment(), "amount": "12.50"}, 400, "invalid_amount"),
    ("amount of nothing", {**payment(), "amount": 0}, 400, "amount_too_small"),
    ("amount with a fraction", {**payment(), "amount": 12.5}, 400, "invalid_amount"),
    ("currency in lower case", {**payment(), "currency": "eur"}, 400, "invalid_currency"),
    ("currency that is none", {**payment(), "currency": "XXX"}, 400, "invalid_currency"),
    ("source that is no token", {**payment(), "source": "visa"}, 400, "invalid_source"),
    ("address without a host", {**payment(), "customer": {"email": "anna"}}, 400, "invalid_email"),
    ("member that nobody knows", {**payment(), "amout": 1}, 400, "unknown_field"),
    ("no currency", {k: v for k, v in payment().items() if k != "currency"}, 400, "missing_field"),
    ("a list", [payment()], 400, "not_an_object"),
    ("not JSON", b"{", 400, "invalid_json"),
]


def refusals_keep_their_codes(checks, client, options):
    for what, body, status, code in REFUSALS:
        answer = client.post("/v1/payments", body)
        checks.equal((answer.status, answer.code), (status, code), what)
        checks.equal(answer.headers.get("content-type", "").split(";")[0], "application/problem+json", f"{what}: as a problem")


def routes_keep_their_answers(checks, client, options):
    for method, path, status, code in (
        ("GET", "/v1/payments/pay_00000000000000000000000000", 404, "payment_not_found"),
        ("GET", "/v1/nothing", 404, "route_not_found"),
        ("PUT", "/v1/payments", 405, "method_not_allowed"),
    ):
        answer = client.ask(method, path)
        checks.equal((answer.status, answer.code), (status, code), f"{method} {path}")
    answer = client.ask("POST", "/v1/payments", payment())
    checks.equal((answer.status, answer.code), (400, "idempotency_key_missing"), "POST without a key")
    answer = client.post("/v1/payments", payment(), headers={"content-type": "text/plain"})
    checks.equal((answer.status, answer.code), (415, "unsupported_media_type"), "POST of a text")
    answer = client.post("/v1/payments", payment(metadata={"a": "b" * 70_000}))
    checks.equal((answer.status, answer.code), (413, "body_too_large"), "POST of too much")


def answers_keep_their_members(checks, client, options):
    answer = client.post("/v1/payments", payment(source=options.source, reference="regression", metadata={"order": "7"}))
    body = answer.json
    members = {
        "id": str, "object": str, "status": str, "amount": int, "amount_refunded": int, "amount_refundable": int,
        "currency": str, "live": bool, "version": int, "source_type": str, "reference": str, "customer": dict,
        "metadata": dict, "refunds": list, "created_at": str, "updated_at": str,
    }
    for member, kind in members.items():
        checks.that(isinstance(body.get(member), kind), f"{member} is there", repr(body.get(member)))
    checks.that(body["id"].startswith("pay_"), "an id says what it is of", body["id"])
    checks.equal(answer.headers.get("location"), f"/v1/payments/{body['id']}", "Location leads to it")


SUITE = [the_document_takes_nothing_back, refusals_keep_their_codes, routes_keep_their_answers, answers_keep_their_members]
