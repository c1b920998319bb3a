"""The attacked sites as Flask applications in one process, for any WSGI server to import: `tests.support.served_flask:app`.

The Host of a request decides which site answers. The environment says where the ledger is, and the folder of the files below
`/files` on the first site.
"""

import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request, send_from_directory

from consentkit import Ledger
from consentkit.flask import Consent, get_consent, requires_consent
from tests.support.attacked import FILES, LEDGER, PAGE, Attacked

HOSTS = {"a.test": "a", "b.example": "b", "c.example": "c"}
# The second half of a streamed page waits for whoever writes to this file.
GATE = "gate"


def attacked_app(site: Attacked) -> Flask:
    """Make an attacked site as a Flask application."""
    app = Flask(site.manager.site)

    @app.get("/")
    def page() -> str:
        return PAGE

    @app.get("/api/data")
    def data() -> Response:
        return jsonify(distance=10)

    @app.get("/_probe")
    def probe() -> Response:
        return jsonify(site.answers(get_consent()))

    @app.post("/_clock")
    def move_clock() -> str:
        site.clock.offset = float(request.args["offset"])
        return "moved"

    @app.get("/_ledger")
    def dump() -> Response:
        return Response(site.records(), mimetype="text/plain")

    @app.get("/sets")
    def sets() -> Response:
        answer = Response("set", mimetype="text/plain")
        answer.set_cookie("lang", "en")
        answer.set_cookie("_ga", "1")
        return answer

    @app.get("/social")
    @requires_consent("social")
    def social() -> str:
        return "social"

    @app.get("/files/<name>")
    def file(name: str) -> Response:
        return send_from_directory(os.environ[FILES], name)

    @app.get("/streamed")
    def streamed() -> Response:
        return Response(_pieces(), mimetype="text/html")

    Consent(app, site.manager)
    return app


def _pieces() -> Iterator[str]:
    yield "<!doctype html><html lang=en><head><title>x</title></head><body><p>first"
    (Path(os.environ[FILES]) / GATE).read_text()
    yield "<p>second</body></html>"


@cache
def _sites() -> dict[str, Flask]:
    ledger = Ledger(os.environ[LEDGER])
    return {site: attacked_app(Attacked(site, ledger)) for site in HOSTS.values()}


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Call the site that a request is for, and the first one for any other host."""
    return _sites()[HOSTS.get(environ.get("HTTP_HOST", ""), "a")](environ, start_response)
