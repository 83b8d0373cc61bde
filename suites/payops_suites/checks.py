"""Checks with a name and one line each; a suite is a list of functions that make them."""
import sys
import traceback


class Checks:
    def __init__(self, out=sys.stdout):
        self.out, self.passed, self.failed, self.skipped = out, 0, 0, 0
        self.where = ""

    def that(self, holds, what, detail=""):
        if holds:
            self.passed += 1
            self.say("ok", what)
        else:
            self.failed += 1
            self.say("FAIL", f"{what}{': ' if detail != '' else ''}{detail}")
        return bool(holds)

    def equal(self, found, wanted, what):
        return self.that(found == wanted, what, f"{found!r}, not {wanted!r}")

    def skip(self, what, why):
        self.skipped += 1
        self.say("skip", f"{what}: {why}")

    def say(self, verdict, what):
        print(f"{verdict:4} {self.where}: {what}", file=self.out, flush=True)

    def run(self, functions, *arguments):
        for function in functions:
            self.where = function.__name__.replace("_", " ")
            try:
                function(self, *arguments)
            except Exception as error:  # noqa: BLE001 - a suite goes on; what broke is a failure of its own
                self.failed += 1
                self.say("FAIL", f"stopped by {type(error).__name__}: {error}")
                traceback.print_exc(limit=-2, file=sys.stderr)
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", file=self.out, flush=True)
        return self.failed == 0 and self.passed > 0
