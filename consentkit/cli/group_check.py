"""Checks of a group of sites: what is wrong in their policy, and what the running sites report about themselves.

The checks change nothing: they request the overview of each running site, and hand-offs of a visitor without a decision.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

from consentkit.config import LOCK, PolicyFile
from consentkit.errors import ConfigurationError, PolicyProblem
from consentkit.handoff import public_half
from consentkit.policy import is_local

__all__ = ["Response", "check_keys", "check_policy", "check_running", "get"]

_LARGEST_CLOCK_DIFFERENCE = 30
"""Seconds by which clocks may differ, as for the times in a token."""
_TIMEOUT = 10.0
_LARGEST_BODY = 4 << 20


@dataclass(frozen=True, slots=True)
class Response:
    """The response of a site; names of headers are in lowercase, `took` is in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: float = 0.0


Fetch = Callable[[str, Mapping[str, str]], Response]


def check_policy(policy: PolicyFile) -> Iterator[PolicyProblem]:
    """Find sites without a key, and sites that the locked notice does not list."""
    file = str(policy.path)
    if policy.group is None or len(policy.sites) < 2:
        message = "The policy has no group of sites to check."
        yield PolicyProblem(file, None, "sites", "", message, "Declare the sites, and a [group].")
        return
    notices = policy.lock.notices
    for site in policy.sites:
        key, subject = f"sites.{site.id}", f"{site.name} ({site.id})"
        if site.public_key is None:
            message = "The site has no key: no decision can be handed to it or from it."
            remedy = f"Run `consentkit group key {site.id}`."
            yield PolicyProblem(file, None, f"{key}.public_key", "", message, remedy, subject)
        if notices and not notices[-1].covers_site(site.id, site.origin):
            lock = str(policy.path.with_name(LOCK))
            message = "The locked notice does not list this site, so decisions do not count there."
            remedy = "Run `consentkit lock`, and commit the file."
            yield PolicyProblem(lock, None, key, site.origin, message, remedy, subject)


def check_keys(policy: PolicyFile, private_keys: Mapping[str, str]) -> Iterator[PolicyProblem]:
    """Compare private keys, by site, with the public keys of the policy."""
    file = str(policy.path)
    for site_id, private_key in private_keys.items():
        site = policy.site(site_id)
        key, subject = f"sites.{site_id}.public_key", f"{site.name} ({site_id})"
        try:
            public_key = public_half(private_key)
        except ConfigurationError as error:
            remedy = f"Run `consentkit group key {site_id}`."
            yield PolicyProblem(file, None, key, "", str(error), remedy, subject)
            continue
        if public_key != site.public_key:
            message = "The site's private key belongs to another public key."
            remedy = f'Write public_key = "{public_key}".'
            yield PolicyProblem(file, None, key, site.public_key or "", message, remedy, subject)


def check_running(
    policy: PolicyFile,
    origins: Mapping[str, str],
    *,
    prefix: str = "/consent",
    fetch: Fetch | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[PolicyProblem]:
    """Send requests to the running sites at these origins, by id, and check what they report."""
    probe = SiteProbe(policy, origins, prefix, fetch or get, clock)
    for site_id in origins:
        yield from probe.check_overview(site_id)
    yield from probe.check_notices()
    yield from probe.check_clocks()
    for audience in probe.notices:
        for issuer in probe.notices:
            if issuer != audience and policy.site(issuer).public_key:
                yield from probe.check_hand_off(issuer, audience)


class SiteProbe:
    """The checks of all running sites.

    Attributes:
        notices: the digest of the notice that each reachable site shows, by the site's id.
    """

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
        self.notices: dict[str, str] = {}
        self._clock_offsets: dict[str, float] = {}

    def check_overview(self, site_id: str) -> Iterator[PolicyProblem]:
        """Compare the sites that a site knows with those of the policy."""
        address = f"{self._origins[site_id]}{self._prefix}/sites.json"
        try:
            response = self._fetch(address, {})
            overview = json.loads(response.body) if response.status == 200 else None
            reported_origins = {row["id"]: row["origin"] for row in overview["sites"]} if overview else None
            notice = overview["notice"] if overview else ""
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            yield self._unreachable(site_id, "origin", address, error)
            return
        if reported_origins is None:
            message = (
                f"Expected status 200, found {response.status}: consentkit does not answer under this prefix."
            )
            remedy = "Use the same prefix on all sites, and give it as --prefix."
            yield self._problem(site_id, "origin", address, message, remedy)
            return
        self.notices[site_id] = notice
        if date := response.headers.get("date"):
            # The header counts whole seconds, and was written half-way through the request.
            sent = parsedate_to_datetime(date).timestamp() + 0.5
            self._clock_offsets[site_id] = sent - self._clock() + response.took / 2
        for other_id, origin in self._origins.items():
            if other_id not in reported_origins:
                message = f"The site does not list {self._label(other_id)}, so it does not accept decisions made there."
                yield self._problem(
                    site_id, "sites", other_id, message, "Deploy the same policy to all sites."
                )
            elif reported_origins[other_id] != origin:
                message = f"The site expects {self._label(other_id)} at {reported_origins[other_id]}."
                remedy = "Deploy the same policy and the same `origins` to all sites."
                yield self._problem(site_id, "origin", origin, message, remedy)

    def check_notices(self) -> Iterator[PolicyProblem]:
        """Compare the sites' notices with the policy's: a grant counts only under a notice that the site knows."""
        expected = self._policy.notices[-1].digest
        for site_id, notice in self.notices.items():
            if notice != expected:
                message = f"The site shows the notice {notice}; the notice of this policy is {expected}."
                yield self._problem(
                    site_id, "notice", notice, message, "Deploy the same policy to all sites."
                )

    def check_clocks(self) -> Iterator[PolicyProblem]:
        """Compare the clocks, including this machine's: a token from a site whose clock is wrong counts nowhere."""
        offsets = sorted([0.0, *self._clock_offsets.values()])
        median = offsets[len(offsets) // 2]
        for site_id, offset in self._clock_offsets.items():
            if abs(offset - median) > _LARGEST_CLOCK_DIFFERENCE:
                difference = timedelta(seconds=round(abs(offset - median)))
                message = f"The clock is {difference} {'ahead' if offset > median else 'behind'}."
                yield self._problem(
                    site_id, "clock", "", message, "Synchronise the clocks of all hosts by NTP."
                )

    def check_hand_off(self, issuer: str, audience: str) -> Iterator[PolicyProblem]:
        """Follow a hand-off as a visitor without a decision, and check that it returns."""
        address = f"{self._origins[audience]}{self._prefix}/handoff/start?iss={quote(issuer)}&next=%2F"
        navigation = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
        expected_addresses = [
            f"{self._origins[issuer]}{self._prefix}/handoff/issue",
            f"{self._origins[audience]}{self._prefix}/handoff/return",
        ]
        for expected in expected_addresses:
            try:
                response = self._fetch(address, navigation)
            except (OSError, http.client.HTTPException) as error:
                yield self._unreachable(audience, "handoff", address, error)
                return
            location = response.headers.get("location", "")
            if response.status != 303 or not location.startswith(f"{expected}?"):
                message = f"A hand-off from {self._label(issuer)} should redirect to {expected}, found status {response.status}."
                remedy = "Deploy the same policy, with the public keys, and the same prefix to both sites."
                yield self._problem(audience, "handoff", address, message, remedy)
                return
            address = location

    def _label(self, site_id: str) -> str:
        return f"{self._policy.site(site_id).name} ({site_id})"

    def _unreachable(self, site_id: str, what: str, address: str, error: Exception) -> PolicyProblem:
        message = f"The site cannot be reached, or its answer cannot be read: {error}"
        return self._problem(site_id, what, address, message, "Start the site, or correct its origin.")

    def _problem(self, site_id: str, what: str, value: str, message: str, remedy: str) -> PolicyProblem:
        key = f"{site_id}.{what}"
        return PolicyProblem(self._origins[site_id], None, key, value, message, remedy, self._label(site_id))


def get(address: str, headers: Mapping[str, str]) -> Response:
    """Send a GET request without following redirects; names under `localhost` are this machine.

    Raises:
        OSError: there is no connection, or no trusted certificate.
        HTTPException: the answer is not HTTP.
    """
    parts = urlsplit(address)
    name = parts.hostname or ""
    host = "127.0.0.1" if is_local(name) else name
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT)
    )
    begun = time.monotonic()
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request("GET", target, headers={**headers, "Host": parts.netloc})
        response = connection.getresponse()
        body = response.read(_LARGEST_BODY)
        response_headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, response_headers, body, time.monotonic() - begun)
    finally:
        connection.close()
