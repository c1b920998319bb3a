"""What can be wrong between the sites of a group: what their policy says, and what the running sites say of themselves.

Nothing is written anywhere: a running site is asked for its overview, and for a hand-off by a visitor who has no choice.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from consentkit.config import LOCK, PolicyFile
from consentkit.errors import ConfigurationError, PolicyProblem
from consentkit.handoff import public_half
from consentkit.policy import is_local

__all__ = ["Response", "check_keys", "check_policy", "check_running", "get"]

LARGEST_DIFFERENCE = 30
"""Seconds that clocks may differ, the skew that a token is allowed."""
_TIMEOUT = 10.0
_LARGEST_BODY = 4 << 20


@dataclass(frozen=True, slots=True)
class Response:
    """What a site answered; header names are in lower case, `took` is in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: float = 0.0


Fetch = Callable[[str, Mapping[str, str]], Response]


def check_policy(policy: PolicyFile) -> Iterator[PolicyProblem]:
    """Find what a policy alone tells: sites without a key, and sites that the locked notice does not list."""
    file = str(policy.path)
    if policy.group is None or len(policy.sites) < 2:
        yield _problem(
            file, "sites", "", "There is no group of sites to check.", "List the sites, and a [group]."
        )
        return
    notices = policy.lock.notices
    for site in policy.sites:
        key = f"sites.{site.id}"
        if site.public_key is None:
            yield _problem(
                file,
                f"{key}.public_key",
                "",
                "No choice can be fetched from this site, nor can its links take one along.",
                f"Run `consentkit group key {site.id}`.",
            )
        if notices and not notices[-1].covers_site(site.id, site.origin):
            yield _problem(
                str(policy.path.with_name(LOCK)),
                key,
                site.origin,
                "The notice that visitors are shown does not list this site: their answers do not count there.",
                "Run `consentkit lock`, and commit the file.",
            )


def check_keys(policy: PolicyFile, private: Mapping[str, str]) -> Iterator[PolicyProblem]:
    """Hold private keys, by site, against the policy's public ones."""
    for site, key in private.items():
        public, name = policy.site(site).public_key, f"sites.{site}.public_key"
        try:
            half = public_half(key)
        except ConfigurationError as error:
            yield _problem(str(policy.path), name, "", str(error), f"Run `consentkit group key {site}`.")
            continue
        if half != public:
            reason = "The private key of this site belongs to another public key."
            yield _problem(str(policy.path), name, public or "", reason, f'Write public_key = "{half}".')


def check_running(
    policy: PolicyFile,
    origins: Mapping[str, str],
    *,
    prefix: str = "/consent",
    fetch: Fetch | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[PolicyProblem]:
    """Ask the running sites at these origins, by id, for what they say of themselves and of each other."""
    asking = SiteProbe(policy, origins, prefix, fetch or get, clock)
    for site in origins:
        yield from asking.overview(site)
    yield from asking.notices()
    yield from asking.clocks()
    for audience in asking.told:
        for issuer in asking.told:
            if issuer != audience and policy.site(issuer).public_key:
                yield from asking.hand_off(issuer, audience)


class SiteProbe:
    """One round over all sites; `told` is each one's overview, `ahead` by how many seconds its clock is."""

    def __init__(
        self,
        policy: PolicyFile,
        origins: Mapping[str, str],
        prefix: str,
        fetch: Fetch,
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._origins = origins
        self._prefix = prefix
        self._fetch = fetch
        self._clock = clock
        self.told: dict[str, dict[str, Any]] = {}
        self._ahead: dict[str, float] = {}

    def overview(self, site: str) -> Iterator[PolicyProblem]:
        """Ask a site which sites it knows, and hold that against the policy."""
        address = f"{self._origins[site]}{self._prefix}/sites.json"
        try:
            answer = self._fetch(address, {})
            told = json.loads(answer.body) if answer.status == 200 else None
            listed = {row["id"]: row["origin"] for row in told["sites"]} if told else None
            notice = told["notice"] if told else ""
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            yield self._wrong(site, "origin", address, f"It cannot be asked: {error}", "Is it running there?")
            return
        if listed is None:
            reason = f"Its overview answers {answer.status}: there is no consentkit, or under another prefix."
            yield self._wrong(site, "origin", address, reason, "All sites of a group need one prefix.")
            return
        self.told[site] = {"notice": notice}
        if date := answer.headers.get("date"):
            self._ahead[site] = (
                parsedate_to_datetime(date).timestamp() + 0.5 - self._clock() + answer.took / 2
            )
        for other, origin in self._origins.items():
            if other not in listed:
                reason = f"It does not list {other!r}: an answer there does not count for it."
                yield self._wrong(site, "sites", other, reason, "Deploy the same policy everywhere.")
            elif listed[other] != origin:
                reason = f"It takes {other!r} to be at {listed[other]}."
                yield self._wrong(
                    site, "origin", origin, reason, "Deploy the same policy and `origins` everywhere."
                )

    def notices(self) -> Iterator[PolicyProblem]:
        """Compare what visitors are told: a grant counts elsewhere only under a notice that is known there."""
        for site, told in self.told.items():
            if told["notice"] != (known := self._digest):
                reason = f"It shows the notice {told['notice']}, and this policy gives {known}."
                yield self._wrong(
                    site, "notice", told["notice"], reason, "Deploy the same policy everywhere."
                )

    @property
    def _digest(self) -> str:
        return self._policy.notices[-1].digest

    def clocks(self) -> Iterator[PolicyProblem]:
        """Compare the clocks, this machine's among them: a token from a site that is far off counts nowhere."""
        known = sorted([0.0, *self._ahead.values()])
        middle = known[len(known) // 2]
        for site, ahead in self._ahead.items():
            if abs(ahead - middle) > LARGEST_DIFFERENCE:
                difference = timedelta(seconds=round(abs(ahead - middle)))
                reason = f"Its clock is {difference} {'ahead' if ahead > middle else 'behind'}."
                yield self._wrong(site, "clock", "", reason, "Let all hosts keep time by NTP.")

    def hand_off(self, issuer: str, audience: str) -> Iterator[PolicyProblem]:
        """Go from site to site as a visitor without a choice does, and see whether the way leads back."""
        start = f"{self._origins[audience]}{self._prefix}/handoff/start?iss={quote(issuer)}&next=%2F"
        visit = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
        wanted = [
            f"{self._origins[issuer]}{self._prefix}/handoff/issue?",
            f"{self._origins[audience]}{self._prefix}/handoff/return?",
        ]
        address = start
        for place in wanted:
            try:
                answer = self._fetch(address, visit)
            except (OSError, http.client.HTTPException) as error:
                yield self._wrong(
                    audience, "handoff", address, f"It cannot be asked: {error}", "Is it running there?"
                )
                return
            leads = answer.headers.get("location", "")
            if answer.status != 303 or not leads.startswith(place):
                reason = f"The hand-off from {issuer!r} to {audience!r} does not lead to {place[:-1]} ({answer.status})."
                remedy = "Give both sites the public keys, and the same policy and prefix."
                yield self._wrong(audience, "handoff", address, reason, remedy)
                return
            address = leads

    def _wrong(self, site: str, what: str, value: str, message: str, remedy: str) -> PolicyProblem:
        return _problem(self._origins[site], f"{site}.{what}", value, message, remedy)


def _problem(file: str, key: str, value: str, message: str, remedy: str) -> PolicyProblem:
    return PolicyProblem(file, None, key, value, message, remedy)


def get(address: str, headers: Mapping[str, str]) -> Response:
    """Make one GET request without following a redirect; names under `localhost` are this machine.

    Raises:
        OSError: nobody answers there, or no certificate that is trusted.
        HTTPException: what answers is not HTTP.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    place = "127.0.0.1" if is_local(host) else host
    connection = (
        http.client.HTTPSConnection(place, parts.port, timeout=_TIMEOUT, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(place, parts.port, timeout=_TIMEOUT)
    )
    begun = time.monotonic()
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request("GET", target, headers={**headers, "Host": parts.netloc})
        response = connection.getresponse()
        body = response.read(_LARGEST_BODY)
        found = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, found, body, time.monotonic() - begun)
    finally:
        connection.close()
