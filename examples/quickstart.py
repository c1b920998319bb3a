"""One page that remembers a visit, but only with consent. Start: CONSENT_KEY=... uvicorn quickstart:app."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from consentkit import ConsentManager, load_policy
from consentkit.asgi import ConsentMiddleware, get_consent

manager = ConsentManager(
    load_policy("consent.toml"),  # what you and third parties store on devices, and what for
    secret_key=os.environ["CONSENT_KEY"],  # signs the answers; 32 characters or more
    ledger="sqlite:///consent.db",  # keeps the proof of each
    origins={"stride": "http://localhost:8000"},
)


def home(request: Request) -> HTMLResponse:
    page = HTMLResponse("<!doctype html><title>Stride</title><h1>Run with your hips</h1>")
    if get_consent(request).allows("analytical"):
        page.set_cookie("visited", "yes", max_age=15_000_000)
    return page


app = Starlette(routes=[Route("/", home)])
app.add_middleware(ConsentMiddleware, manager=manager)
