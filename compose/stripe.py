"""Serves localstripe to the other containers, and keeps its payments in memory only: its own command writes each
change to a file that the next start reads back."""
from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app

Store.dump_to_disk = lambda self: None
web.run_app(app, host="0.0.0.0", port=8420)  # noqa: S104 - reached by the containers of this stack alone
