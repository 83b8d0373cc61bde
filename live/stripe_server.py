"""Serves localstripe on one loopback port and keeps its payments in memory only.

Its own command listens on every interface, and writes each change to a file
with a fixed name in /tmp that any other copy on the machine reads back.

    python stripe_server.py PORT
"""

import logging
import sys

from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
Store.dump_to_disk = lambda self: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
