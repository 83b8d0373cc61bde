"""Serves localstripe on one loopback port and keeps its payments in memory only.

Its own command listens on every interface, and writes each change to a file
with a fixed name in /tmp that any other copy on the machine reads back.

    python stripe_server.py PORT

PUT /_live/refused/SOURCE has every request that names SOURCE refused, with 400,
as if the acquirer were misconfigured for it; DELETE takes that back.
"""

import logging
import sys

from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app

refused = set()


@web.middleware
async def refuse(request, handler):
    if request.path.startswith("/_live/refused/"):
        source = request.path.rsplit("/", 1)[1]
        (refused.add if request.method == "PUT" else refused.discard)(source)
        return web.Response(status=204)
    if refused and request.method == "POST" and refused.intersection((await request.post()).values()):
        error = {"type": "invalid_request_error", "code": "payment_method_not_available", "message": "refused on purpose"}
        return web.json_response({"error": error}, status=400)
    return await handler(request)


app.middlewares.insert(0, refuse)
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
Store.dump_to_disk = lambda self: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
