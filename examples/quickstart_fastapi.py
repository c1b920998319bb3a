"""The quickstart for FastAPI, with a route that needs a consent. Start: CONSENT_KEY=... uvicorn quickstart_fastapi:app."""

import os

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse

from consentkit import ConsentManager, load_policy
from consentkit.fastapi import ConsentDep, ConsentMiddleware, require_consent

manager = ConsentManager(
    load_policy("consent.toml"),
    secret_key=os.environ["CONSENT_KEY"],
    ledger="sqlite:///consent.db",
    origins={"stride": "http://localhost:8000"},
)

app = FastAPI()
app.add_middleware(ConsentMiddleware, manager=manager)


@app.get("/", response_class=HTMLResponse)
async def home(consent: ConsentDep, response: Response) -> str:
    """Remember a visit, where that is allowed."""
    if consent.allows("analytical"):
        response.set_cookie("visited", "yes", max_age=15_000_000)
    return "<!doctype html><title>Stride</title><h1>Run with your hips</h1>"


@app.get("/statistics", dependencies=[require_consent("analytical")])  # without it: 403; shown at /docs
async def statistics() -> dict[str, int]:
    """Count for those who agree to be counted."""
    return {"visits": 1}
