"""Performance: the time of a payment against the time of a request that does nothing, in the same run, on the
same machine. A machine that is slow today is slow in both, and the ratio stays."""
import json
import statistics
import threading
from pathlib import Path

from .client import Client, name, payment

ROUNDS = 5
BASELINE = Path(__file__).resolve().parent / "baseline.json"


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(options, count, request):
    """`count` requests by `options.clients` threads; seconds of each that was answered, and how many were not."""
    seconds, wrong, lock = [], [], threading.Lock()
    left = iter(range(count))

    def work():
        client = Client(options.base_url, options.key)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            try:
                answer, good = request(client)
            except OSError as error:
                with lock:
                    wrong.append(repr(error))
                continue
            with lock:
                (seconds if good else wrong).append(answer.seconds if good else f"{answer.status} {answer.code}")

    threads = [threading.Thread(target=work) for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds, wrong


def control(client):
    answer = client.get("/v1/nothing")
    return answer, answer.status == 404


def create(source):
    def request(client):
        answer = client.post("/v1/payments", payment(100, source=source, reference=f"perf-{name(8)}"))
        return answer, answer.status == 202
    return request


def read(identifier):
    def request(client):
        answer = client.get(f"/v1/payments/{identifier}")
        return answer, answer.status == 200
    return request


def ratios_keep_to_the_baseline(checks, client, options):
    baselines = json.loads(BASELINE.read_text())
    baseline = baselines["ratios"].get(options.baseline)
    if baseline is None and not options.write_baseline:
        checks.that(False, f"there is a baseline {options.baseline}",
                    f"measure one where it is to hold: suites/run performance --baseline {options.baseline} --write-baseline")
        return
    identifier = client.post("/v1/payments", payment(100, source=options.source)).json["id"]
    measured = {}
    # Control and candidate take turns, and the middle of the rounds counts: a bad minute falls on both, and a bad
    # second on one round alone.
    rounds = []
    for _ in range(ROUNDS):
        times = {}
        for what, request in (("control", control), ("create", create(options.source)), ("read", read(identifier))):
            times[what], wrong = measure(options, options.requests // ROUNDS, request)
            if not checks.that(not wrong, f"{what}: all are answered", f"{len(wrong)} are not, such as {wrong[:1]}"):
                return
        rounds.append(times)
    for what in ("create", "read"):
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            ratio = statistics.median(quantile(t[what], share) / quantile(t["control"], share) for t in rounds)
            key = f"{what}_{label}"
            measured[key] = round(ratio, 2)
            if options.write_baseline:
                continue
            limit = baseline[key] * baselines["tolerance"]
            checks.that(ratio <= limit, f"{what} {label} is {ratio:.2f} times the control's", f"the limit is {limit:.2f}")
    print(json.dumps({"ratios": measured, "control_p50_ms": round(statistics.median(quantile(t["control"], 0.5) for t in rounds) * 1000, 2),
                      "requests": options.requests, "clients": options.clients}), file=checks.out)
    if options.write_baseline:
        baselines["ratios"][options.baseline] = measured
        BASELINE.write_text(json.dumps(baselines, indent=2) + "\n")


SUITE = [ratios_keep_to_the_baseline]
