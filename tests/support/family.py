"""Three sites of one publisher over one ledger, and a browser that goes from one to another as told."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, Ledger, Policy
from consentkit.asgi import ConsentMiddleware, get_consent
from consentkit.handoff.keys import new_pair
from tests.conftest import Clock
from tests.support.told import EXAMPLE

IDS = ("stride", "trailhead", "shoelab")
ORIGINS = {site: f"https://{site}.example" for site in IDS}
KEY = "a key that the tests of the hand-off sign with"
PAGE = "<!doctype html><html lang=en><head><title>Run</title></head><body><main><h1>Run</h1></main></body></html>"
COOKIE, TRANSACTION, TOLD = "__Host-consent", "__Host-consent-tx", "__Host-consent-from"
PAIRS = {site: new_pair() for site in IDS}
Answers = dict[str, bool]


def a_policy(*ids: str, **changes: Any) -> Policy:
    """Make the example's policy for these sites, all three by default, each with its public key."""
    rows = [
        {"id": site, "name": site.title(), "origin": ORIGINS[site], "public_key": PAIRS[site][1]}
        for site in ids or IDS
    ]
    return Policy.model_validate(EXAMPLE | {"sites": rows} | changes)


@dataclass
class Member:
    """One site: its manager, and what serves it."""

    manager: ConsentManager
    app: Starlette

    @property
    def handoff(self) -> Any:
        """The part of the running site that begins, issues and takes over."""
        middleware: Any = self.app.middleware_stack
        while not isinstance(middleware, ConsentMiddleware):
            middleware = middleware.app
        return middleware._site.handoff


async def _page(request: Request) -> Response:
    cached = {"cache-control": "public, max-age=60"} if "cached" in request.query_params else {}
    return HTMLResponse(PAGE, headers=cached)


async def _granted(request: Request) -> Response:
    consent = get_consent(request)
    return JSONResponse({"granted": sorted(consent.granted), "status": consent.status})


def a_member(policy: Policy, site: str, ledger: Ledger, clock: Clock, **options: Any) -> Member:
    """Start one site, with its own key unless the options name one."""
    own = {"private_key": PAIRS[site][0]} | options
    manager = ConsentManager(policy, secret_key=KEY, ledger=ledger, site=site, clock=clock, **own)
    app = Starlette(routes=[Route("/", _page), Route("/shoes", _page), Route("/granted", _granted)])
    app.add_middleware(ConsentMiddleware, manager=manager)
    return Member(manager, app)


@contextmanager
def a_family(
    ledger: Ledger, clock: Clock, policy: Policy | None = None, **options: Any
) -> Iterator["Family"]:
    """Run the sites of a policy; options go to every manager."""
    policy = policy or a_policy()
    members = {site.id: a_member(policy, site.id, ledger, clock, **options) for site in policy.sites}
    try:
        with asyncio.Runner() as runner:
            yield Family(members, ledger, clock, runner)
    finally:
        for member in members.values():
            member.manager.close()


@dataclass
class Family:
    """The sites, by id, with what they share."""

    members: dict[str, Member]
    ledger: Ledger
    clock: Clock
    runner: asyncio.Runner

    def __getitem__(self, site: str) -> Member:
        return self.members[site]

    def browser(self) -> "Browser":
        """Open a browser without any cookie."""
        return Browser(self)


@dataclass
class Browser:
    """A visitor's browser: cookies by site, no scripts, and no step that the test does not tell.

    `headers` go with every request, such as those that a proxy adds.
    """

    family: Family
    headers: dict[str, str] = field(default_factory=dict)
    jars: dict[str, dict[str, str]] = field(default_factory=lambda: {site: {} for site in IDS})

    def send(self, site: str, method: str, path: str, **options: Any) -> httpx2.Response:
        """Make one request, and keep the cookies of the answer."""
        headers = self.headers | dict(options.pop("headers", {}))
        jar = self.jars[site]
        if jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        response = self.family.runner.run(self._request(site, method, path, headers, options))
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.split(";")[0].partition("=")
            if "Max-Age=0" in line:
                jar.pop(name, None)
            else:
                jar[name] = value
        return response

    async def _request(
        self, site: str, method: str, path: str, headers: dict[str, str], options: dict[str, Any]
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.family[site].app)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGINS[site]) as client:
            return await client.request(method, path, headers=headers, **options)

    def get(self, site: str, path: str = "/", **headers: str) -> httpx2.Response:
        """Go to a page; headers are named with underscores."""
        return self.send(site, "GET", path, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def choose(self, site: str, answers: Answers | None = None, **body: Any) -> httpx2.Response:
        """Answer, by category, or with a body of its own."""
        response = self.send(site, "POST", "/consent/decision", json=body or {"categories": answers or {}})
        assert response.status_code == 200, response.text
        return response

    def withdraw(self, site: str) -> httpx2.Response:
        """Take everything back."""
        return self.send(site, "DELETE", "/consent/decision")

    def granted(self, site: str) -> set[str]:
        """Ask a site what it takes for granted."""
        return set(self.get(site, "/granted").json()["granted"])

    def status(self, site: str) -> str:
        """Ask a site for the status."""
        return str(self.get(site, "/granted").json()["status"])

    def follow(self, response: httpx2.Response, **headers: str) -> httpx2.Response:
        """Go where a redirect leads."""
        address = urlsplit(response.headers["location"])
        site = address.hostname.removesuffix(".example") if address.hostname else None
        assert site in IDS, response.headers["location"]
        return self.get(site, f"{address.path}?{address.query}", **headers)

    def start(self, issuer: str, audience: str, back: str = "/shoes") -> httpx2.Response:
        """Follow a link of one site to another."""
        return self.send(audience, "GET", "/consent/handoff/start", params={"iss": issuer, "next": back})

    def issue(self, issuer: str, audience: str, back: str = "/shoes") -> httpx2.Response:
        """Go two steps: to where the token is in the address."""
        return self.follow(self.start(issuer, audience, back))

    def cross(self, issuer: str, audience: str, back: str = "/shoes") -> httpx2.Response:
        """Carry the choice over, all three steps."""
        return self.follow(self.issue(issuer, audience, back))

    def carry(self, site: str) -> httpx2.Response:
        """Press the button that uses the choice on all sites, go the whole way, and return the page where it ends."""
        answer = self.send(site, "POST", "/consent/handoff/carry", data={"page": ""})
        while "location" in answer.headers:
            location = answer.headers["location"]
            answer = self.follow(answer) if urlsplit(location).hostname else self.get(site, location)
            onward = re.search(r'content="0; url=([^"]*)"', answer.text)
            if onward is not None:
                answer = self.get(site, onward[1])
        return answer


def token_of(response: httpx2.Response) -> str:
    """Take the token out of the address that `issue` leads to."""
    return parse_qs(urlsplit(response.headers["location"]).query, keep_blank_values=True)["t"][0]
