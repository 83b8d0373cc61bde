"""Stands in for what measures a canary. The pods of live/run's cluster run nothing, so no version has figures of its
own: this answers Datadog's queries, and puts the queues' metrics to CloudWatch, as a healthy version would have them,
or a failing one, or none.

    python signals.py PORT

PUT /state with `good` (at the start), `bad` or `silent` as its body changes that. The formulas are those of
charts/payops/templates/_analysis.tpl; to any other the answer is 400, which ends an analysis as Error.
"""
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session

# By how a formula begins: its figure of a healthy version, and of a failing one.
FIGURES = {
    "requests": (500.0, 500.0),
    "latency": (0.12, 0.12),
    "1 - answered / requests": (0.0, 0.2),
    "(canary_good / canary_all)": (1.0, 0.7),
}
PUT_EVERY_S = 2
state = "good"


class Datadog(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *arguments):
        print(form % arguments, flush=True)

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, code, value=None):
        text = b"" if value is None else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_PUT(self):
        global state
        wanted = self.body().decode()
        if wanted not in ("good", "bad", "silent"):
            self.answer(400, {"errors": ["good, bad or silent"]})
            return
        state = wanted
        self.answer(204)

    def do_GET(self):
        self.answer(200, {"state": state})

    def do_POST(self):
        asked = json.loads(self.body())["data"]["attributes"]
        formula = (asked.get("formulas") or [{"formula": asked["queries"][0]["name"]}])[0]["formula"]
        print(f"{state}: {formula}", flush=True)
        figures = [value for begin, value in FIGURES.items() if formula == begin or formula.startswith(begin + " ")]
        if not figures:
            self.answer(400, {"errors": [f"no such formula: {formula}"]})
            return
        columns = [] if state == "silent" else [{"name": "a", "type": "number", "values": [figures[0][state == "bad"]]}]
        self.answer(200, {"data": {"type": "scalar_response", "attributes": {"columns": columns}}})


def put_metrics():
    """The rollouts controller asks in the emulator's first account, as live/run starts it."""
    cloudwatch = botocore.session.get_session().create_client("cloudwatch")
    queues, prefix = os.environ["QUEUES"].split(), os.environ["QUEUE_PREFIX"]
    while True:
        if state != "silent":
            for namespace, metric, dimension, value_of in (
                ("Payops", "DeadLetters", "Queue", lambda queue: queue),
                ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", lambda queue: prefix + queue),
            ):
                data = [{"MetricName": metric, "Dimensions": [{"Name": dimension, "Value": value_of(q)}], "Value": 0.0} for q in queues]
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
        time.sleep(PUT_EVERY_S)


threading.Thread(target=put_metrics, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Datadog).serve_forever()
