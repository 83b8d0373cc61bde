"""Arguments and exit code."""
import argparse
import os
import sys

from . import e2e, performance, regression, smoke
from .checks import Checks
from .client import Client

SUITES = {"smoke": smoke.SUITE, "e2e": e2e.SUITE, "regression": regression.SUITE, "performance": performance.SUITE}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="suites/run", description="Runs suites against a payments API.")
    parser.add_argument("suites", nargs="+", choices=sorted(SUITES), metavar="SUITE", help=", ".join(sorted(SUITES)))
    parser.add_argument("--base-url", default=os.environ.get("PAYOPS_BASE_URL"), help="default: PAYOPS_BASE_URL")
    parser.add_argument("--wait", type=int, default=60, help="seconds that a payment may take to its end")
    parser.add_argument("--source", default=os.environ.get("PAYOPS_SMOKE_SOURCE", "tok_visa"), help="a source that the provider charges; default: PAYOPS_SMOKE_SOURCE, else tok_visa")
    parser.add_argument("--refund", action="store_true", help="smoke: give the money back, which also shows that it can be")
    parser.add_argument("--end", default="completed", help="smoke: the status that it must reach; any: one that is an end")
    parser.add_argument("--declined", default=os.environ.get("PAYOPS_DECLINED_SOURCE"), help="e2e: a source that the provider declines; default: PAYOPS_DECLINED_SOURCE, else Stripe's for tests, or the simulated acquirer's")
    parser.add_argument("--acquirer", choices=["simulated", "real"], default="real", help="e2e: whether the simulated one is behind the API")
    parser.add_argument("--requests", type=int, default=400, help="performance: requests of each kind")
    parser.add_argument("--clients", type=int, default=8, help="performance: requests at once")
    parser.add_argument("--baseline", default="cluster", help="performance: which baseline; local for `payops local up`")
    parser.add_argument("--write-baseline", action="store_true", help="performance: keep the ratios as that baseline")
    options = parser.parse_args(argv)
    options.declined = options.declined or ("tok_declined" if options.acquirer == "simulated" else "pm_card_chargeDeclined")
    options.key = os.environ.get("PAYOPS_API_KEY")
    options.other_key = os.environ.get("PAYOPS_OTHER_API_KEY")
    for name, value in (("--base-url or PAYOPS_BASE_URL", options.base_url), ("PAYOPS_API_KEY", options.key)):
        if not value:
            print(f"suites: {name} is not set", file=sys.stderr)
            return 2
    client = Client(options.base_url, options.key)
    good = True
    for name in options.suites:
        print(f"== {name} of {options.base_url}", flush=True)
        good &= Checks().run(SUITES[name], client, options)
    return 0 if good else 1
