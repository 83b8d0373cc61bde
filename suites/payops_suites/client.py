"""A client of the payments API that keeps what tests look at: status, headers, bytes, time."""
import http.client
import json
import secrets
import string
import time
import urllib.parse
from dataclasses import dataclass

ENDS = {"completed", "failed", "canceled", "review", "refunded", "partially_refunded"}


def name(length=24):
    """A name that nobody used. Letters alone: long runs of digits may pass for a card number, which is refused."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(length))


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    seconds: float

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of a problem, or None."""
        try:
            return self.json.get("code")
        except (ValueError, AttributeError):
            return None


class Client:
    def __init__(self, base_url, key=None, timeout_s=15):
        self.base = urllib.parse.urlsplit(base_url)
        if self.base.scheme not in ("http", "https") or not self.base.hostname:
            raise ValueError(f"{base_url} is no http or https URL")
        self.key, self.timeout_s = key, timeout_s
        self.connection = None

    def with_key(self, key):
        return Client(urllib.parse.urlunsplit(self.base), key, self.timeout_s)

    def connect(self):
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        return kind(self.base.hostname, self.base.port, timeout=self.timeout_s)

    def ask(self, method, path, body=None, headers=None):
        """One request on the kept connection. A connection that the server closed is opened again, once,
        and only for requests that may be sent twice."""
        headers = {"accept": "application/json", **(headers or {})}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("content-type", "application/json")
        for attempt in (1, 2):
            self.connection = self.connection or self.connect()
            started = time.monotonic()
            try:
                self.connection.request(method, self.base.path.rstrip("/") + path, body, headers)
                response = self.connection.getresponse()
                content = response.read()
                return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content,
                              time.monotonic() - started)
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                repeatable = method == "GET" or "idempotency-key" in headers
                if attempt == 2 or not repeatable:
                    raise
        raise AssertionError("unreachable")

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body, key=None, headers=None):
        return self.ask("POST", path, body, {"idempotency-key": key or name(), **(headers or {})})

    def wait(self, path, until, seconds):
        """Reads until `until` holds of the body; the last body either way."""
        deadline, pause = time.monotonic() + seconds, 0.1
        while True:
            answer = self.get(path)
            body = answer.json if answer.status == 200 else {}
            if (body and until(body)) or time.monotonic() > deadline:
                return body
            time.sleep(pause)
            pause = min(pause * 1.5, 2)

    def wait_for_end(self, payment, seconds):
        return self.wait(f"/v1/payments/{payment}", lambda body: body["status"] in ENDS, seconds)

    def events(self, payment):
        return [event["type"] for event in self.get(f"/v1/payments/{payment}/events").json["data"]]


def payment(amount=1250, currency="EUR", source="tok_visa", email="success@simulator.amazonses.com", **more):
    """The body of a request. The address is SES's own mailbox for tests: it bounces nothing."""
    return {"amount": amount, "currency": currency, "source": source, "customer": {"email": email}, **more}
