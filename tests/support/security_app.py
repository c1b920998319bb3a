"""The application that the attack cases in tests/security are played against: a site with a few test-only pages."""

import json
import time
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, ConsentStatus, Ledger, load_policy
from consentkit.asgi import ConsentMiddleware, get_consent

POLICY = Path(__file__).parents[1] / "security_policy.toml"
# Of no use anywhere else: their public halves stand in security_policy.toml.
PRIVATE_KEYS = {
    "a": "9PJEMMwy6ISNSsmOe9UJ4ZsOvHBxN86z43ZyYQTNJYQ",
    "b": "B61uQope6JTiqIvcW0twXFjzJxYVkI1Kdtaicdkqc2c",
    "c": "_thfObWyDkja-XPKFdBKOdBPB-bOh3578cFe8bR4NaM",
}
KEY = "the-attack-cases-are-signed-with-this-key"
DECIDED = {ConsentStatus.GIVEN, ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN}
PAGE = """<!doctype html><html lang="en"><head><title>Attack me</title></head>
<body><h1>Attack me</h1><p>A page as any other.</p></body></html>"""


class OffsetClock:
    """Real time, moved by as much as `/_clock` said last."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


class AttackedSite:
    """One site of the policy, with the ledger it shares with the others."""

    def __init__(self, site: str, ledger: Ledger) -> None:
        self.clock = OffsetClock()
        self.ledger = ledger
        self.manager = ConsentManager(
            load_policy(POLICY),
            secret_key=KEY,
            ledger=ledger,
            site=site,
            clock=self.clock,
            private_key=PRIVATE_KEYS[site],
        )
        self.app = Starlette(
            routes=[
                Route("/", self.page),
                Route("/api/data", self.data),
                Route("/_probe", self.probe),
                Route("/_clock", self.move_clock, methods=["POST"]),
                Route("/_ledger", self.dump),
                Route("/sets", self.sets),
            ]
        )
        self.app.add_middleware(ConsentMiddleware, manager=self.manager)

    async def page(self, request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def data(self, request: Request) -> Response:
        return JSONResponse({"distance": 10})

    async def probe(self, request: Request) -> Response:
        consent = get_consent(request)
        return JSONResponse({"decided": consent.status in DECIDED, "granted": sorted(consent.granted)})

    async def move_clock(self, request: Request) -> Response:
        self.clock.offset = float(request.query_params["offset"])
        return PlainTextResponse("moved")

    def dump(self, request: Request) -> Response:
        rows = [json.dumps(asdict(record), default=str) for record in self.ledger.records()]
        return PlainTextResponse("".join(f"{row}\n" for row in rows))

    async def sets(self, request: Request) -> Response:
        answer = PlainTextResponse("set")
        answer.set_cookie("lang", "en")
        answer.set_cookie("_ga", "1")
        return answer
