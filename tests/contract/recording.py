"""Make the recording: through what applications import and what browsers send, so that it runs however the package is laid out.

The clock stands still and randomness is fixed. Masked are, because other work changes them on purpose: texts of HTML pages (their
elements are kept), hashes of assets, lengths of HTML pages, the state in an ETag (numbered in the order of appearance), the
library's version, messages of the log and of `consentkit check`, and the day on which a lock was written.
"""

import contextlib
import difflib
import gc
import hashlib
import io
import json
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI
from starlette.testclient import TestClient

from consentkit import ConsentManager, Decision, Ledger, Policy
from consentkit.asgi import ConsentMiddleware
from consentkit.cli import main
from consentkit.fastapi import ConsentDep, require_consent
from consentkit.testing import grant, refuse, withdraw
from tests.contract import requests, worlds
from tests.contract.harness import (
    DAY,
    HOUR,
    NOW,
    Answer,
    Browser,
    Clock,
    Headers,
    Names,
    Randomness,
    Shared,
    call,
    connect,
    looping,
    text_of,
    unfold,
)
from tests.contract.worlds import KEY, OLDER_KEY, Policies, World, living

__all__ = ["RECORDED", "Recording", "cases", "difference", "differences", "read", "record", "write"]

RECORDED = Path(__file__).parent / "recorded.json"
SHARED = "shared"

Recording = dict[str, dict[str, Any]]
Section = dict[str, Any]


def record() -> Recording:
    """Make the recording: sections of cases by name."""
    randomness, shared = Randomness(), Shared()
    sections: Recording = {}
    loggers: Section = {}
    with tempfile.TemporaryDirectory() as folder, randomness.fixed(), looping():
        randomness.step("policies")
        policies = Policies.read(Path(folder))
        for name, make in SECTIONS.items():
            names = Names()
            with names.collecting():
                made = make(policies, randomness, Path(folder))
            sections[name] = {case: shared.fold(value) for case, value in made.items()}
            loggers[name] = sorted(names.found)
    gc.collect()
    return sections | {"loggers": loggers, SHARED: dict(sorted(shared.values.items()))}


# Tokens and cookies

_SUBJECT = "c3ViamVjdC1vZi1hbGwtdA"


def _decisions(notice: str) -> dict[str, Decision]:
    def decision(**values: Any) -> Decision:
        plain = {"granted": frozenset(), "vendors": {}, "decided_at": NOW - DAY, "changed_at": NOW - DAY}
        return Decision(**(plain | {"notice": notice} | values))

    everything = frozenset({"analytical", "tracking", "social"})
    granted = {"granted": everything, "subject": _SUBJECT}
    return {
        "refused": decision(),
        "refused, with a subject": decision(subject=_SUBJECT),
        "all granted": decision(**granted),
        "required one too": decision(granted=everything | {"functional"}, subject=_SUBJECT),
        "one granted": decision(granted=frozenset({"analytical"}), subject=_SUBJECT),
        "vendor refused": decision(**granted, vendors={"youtube": False}),
        "vendor granted alone": decision(vendors={"youtube": True}, subject=_SUBJECT),
        "vendors both ways": decision(
            granted=frozenset({"tracking"}), vendors={"adhub": False, "youtube": True}, subject=_SUBJECT
        ),
        "vendor that does not deviate": decision(**granted, vendors={"adhub": True}),
        "partial": decision(kind="partial", vendors={"youtube": True}, subject=_SUBJECT),
        "withdrawn": decision(kind="withdrawn", changed_at=NOW - HOUR),
        "changed later": decision(**granted, changed_at=NOW - HOUR),
        "changed before": decision(**granted, changed_at=NOW - 2 * DAY),
        "now": decision(**granted, decided_at=NOW, changed_at=NOW),
        "in the last month": decision(**granted, decided_at=NOW - 180 * DAY, changed_at=NOW - 180 * DAY),
        "expired": decision(**granted, decided_at=NOW - 200 * DAY, changed_at=NOW - 200 * DAY),
        "in the future": decision(**granted, decided_at=NOW + 100, changed_at=NOW + 100),
        "a minute ahead": decision(**granted, decided_at=NOW + 60, changed_at=NOW + 60),
    }


def _manager(policy: Policy, **options: Any) -> ConsentManager:
    plain: dict[str, Any] = {"secret_key": KEY, "site": "stride", "clock": Clock(), "ledger": "sqlite://"}
    return ConsentManager(policy, **(plain | options))


_LIKE_EXAMPLE = ("trailhead", "two keys", "key in bytes")
_FEW_DECISIONS = ("refused", "all granted", "vendors both ways", "withdrawn")


def tokens(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record what is written into cookies, and what is read from them."""
    found: Section = {}
    managers = {
        "example": _manager(policies.example),
        "magazine": _manager(policies.magazine),
        "trailhead": _manager(policies.magazine, site="trailhead"),
        "plain http": _manager(policies.example, origins={"stride": "http://localhost:8000"}),
        "cookie domain": _manager(policies.example, cookie_domain="stride.example"),
        "two keys": _manager(policies.example, secret_key=[KEY, OLDER_KEY]),
        "key in bytes": _manager(policies.example, secret_key=KEY.encode() + b"\xff"),
    }
    for name, manager in managers.items():
        for kind, decision in _decisions(manager.notice.digest).items():
            if name in _LIKE_EXAMPLE and kind not in _FEW_DECISIONS:
                continue
            lines = manager.cookie.set_cookie(decision)
            jar = Browser()
            jar.keep(line.replace("Max-Age=0", "Max-Age=1") for line in lines)
            consent = manager.cookie.read(_raw(jar.sent()))
            found[f"{name}: {kind}"] = {"lines": lines, "read": _shown(consent)}
    found |= _read_back(managers)
    for manager in managers.values():
        manager.close()
    return found


def _read_back(managers: dict[str, ConsentManager]) -> Section:
    """Read header values of many kinds with keys, sites and names that fit and that do not."""
    example = managers["example"]
    decisions = _decisions(example.notice.digest)
    token = {name: _value(example, decision) for name, decision in decisions.items()}
    narrow = _value(example, decisions["one granted"])
    older = _manager(example.policy, secret_key=OLDER_KEY)
    old, other = (
        _value(older, decisions["all granted"]),
        _value(managers["trailhead"], _decisions(managers["trailhead"].notice.digest)["all granted"]),
    )
    older.close()
    name, valid = "__Host-consent", token["all granted"]
    headers: dict[str, list[str]] = {
        "valid": [f"{name}={valid}"],
        "spaces and tabs": [f"a=1;\t {name} = {valid}\t;b=2"],
        "quoted": [f'{name}="{valid}"'],
        "no-break space": [f"\xa0{name}={valid}"],
        "other name": [f"consent={valid}"],
        "capitals": [f"__host-consent={valid}"],
        "two headers": [f"{name}={narrow}", f"{name}={valid}"],
        "two of one second": [f"{name}={valid}; {name}={narrow}"],
        "two, the newer first": [f"{name}={token['changed later']}; {name}={token['refused']}"],
        "two, the newer last": [f"{name}={token['refused']}; {name}={token['changed later']}"],
        "valid after eight": ["; ".join([f"{name}=x"] * 8 + [f"{name}={valid}"])],
        "valid after 16 KiB": [f"x={'a' * 16384}; {name}={valid}"],
        "older key": [f"{name}={old}"],
        "other site": [f"{name}={other}"],
        "tampered": [f"{name}={valid.replace('1d.e.', '1d.f.')}"],
        "signature cut": [f"{name}={valid[:-1]}"],
        "signature changed": [f"{name}={valid[:-1]}A"],
        "padded": [f"{name}={valid}="],
        "empty": [f"{name}="],
        "only dots": [f"{name}=......."],
        "version 2": [f"{name}={valid.replace('1d', '2d', 1)}"],
        "expired": [f"{name}={token['expired']}"],
        "future": [f"{name}={token['in the future']}"],
        "a minute ahead": [f"{name}={token['a minute ahead']}"],
        "expired and valid": [f"{name}={token['expired']}; {name}={valid}"],
    }
    found = {}
    for kind, values in headers.items():
        for key in ("example", "two keys"):
            consent = managers[key].cookie.read([(b"cookie", value.encode("latin-1")) for value in values])
            found[f"read with {key}: {kind}"] = _shown(consent)
    for gpc in ("1", "0", "1, 1", " 1 ", "2"):
        consent = example.cookie.read([(b"sec-gpc", gpc.encode())])
        found[f"read with example: Sec-GPC {gpc!r}"] = _shown(consent)
    return found


def _value(manager: ConsentManager, decision: Decision) -> str:
    return manager.cookie.set_cookie(decision)[0].partition("=")[2].partition(";")[0]


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _shown(consent: Any) -> dict[str, Any]:
    return {
        "status": consent.status.value,
        "granted": sorted(consent.granted),
        "on": [name for name, on in consent.categories.items() if on],
        "vendors": [name for name, on in consent.vendors.items() if on],
        "decided_at": str(consent.decided_at),
        "expires_at": str(consent.expires_at),
        "needs_asking": consent.needs_asking,
        "gpc": consent.gpc,
        "notice": consent.notice,
    }


# Digests, lock, command line

FAULTY = (
    "many_problems",
    "unknown_keys_everywhere",
    "toml_key_twice",
    "vendor_id_twice",
    "site_origin_http",
    "validity_missing",
)


def digests(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record what notices are known by, and what is written for other programs."""
    found: Section = {}
    for name, policy in (
        ("example", policies.example),
        ("magazine", policies.magazine),
        ("more", policies.with_more_cookies),
    ):
        with living(policy, randomness) as world:
            digest = world.manager.notice.digest
            answer = call(world.app, f"/consent/notices/{digest}")
            found[f"notice of {name}"] = digest
            found[f"content of the notice of {name}"] = world.masks.answer(answer)
    found["schema of Policy"] = _schema()
    for name, source in (("example", worlds.EXAMPLE), ("magazine", worlds.MAGAZINE / "consent.toml")):
        target = folder / f"lock-{name}"
        target.mkdir()
        shutil.copyfile(source, target / "consent.toml")
        code, _ = _command("lock", str(target / "consent.toml"))
        text = (target / "consent.lock").read_text("utf-8")
        dated = re.sub(r'"published": "\d{4}-\d\d-\d\d"', '"published": "DAY"', text)
        found[f"lock of {name}"] = {
            "exit": code,
            "beginning": dated[:600].splitlines(),
            "whole": _digest(dated.encode()),
        }
        code, text = _command("lock", str(target / "consent.toml"))
        again = (target / "consent.lock").read_text("utf-8")
        found[f"lock of {name} again"] = {
            "exit": code,
            "unchanged": re.sub(r'"published": "\d{4}-\d\d-\d\d"', '"published": "DAY"', again) == dated,
        }
    for name in FAULTY:
        # The words of messages may change on purpose: places and keys may not.
        path = worlds.ROOT / "tests" / "faulty_policies" / f"{name}.toml"
        code, text = _command("check", "--json", str(path))
        told = json.loads(text)
        places = {
            kind: [f"{one['line']} {one['key']}" for one in told[kind]] for kind in ("problems", "warnings")
        }
        found[f"check of {name}"] = {"exit": code, "keys": sorted(told["problems"][0])} | places
    return found


def _schema() -> list[str]:
    """Write the schema of a policy without its prose, with every definition in its places: classes may be renamed."""
    schema = Policy.model_json_schema()
    definitions = schema.pop("$defs")

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and "$ref" in value:
            value = definitions[value["$ref"].rpartition("/")[2]] | {
                k: v for k, v in value.items() if k != "$ref"
            }
        if isinstance(value, dict):
            prose = {key for key in ("title", "description") if isinstance(value.get(key), str)}
            return {key: plain(part) for key, part in value.items() if key not in prose}
        return [plain(part) for part in value] if isinstance(value, list) else value

    return json.dumps(plain(schema), indent=1, sort_keys=True).splitlines()


def _digest(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "length": len(content)}


def _command(*arguments: str) -> tuple[int, str]:
    """Run `python -m consentkit` in this process; returns its exit code and what it printed."""
    out = io.StringIO()
    code: object = 0
    with patch.object(sys, "argv", ["consentkit", *arguments]), contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    if not isinstance(code, int):
        raise RuntimeError(str(code))
    return code, out.getvalue()


# The library's own addresses


def own_addresses(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record the addresses under the prefix, for visitors in every state."""
    found: Section = {}
    with living(policies.example, randomness) as world:
        for name, case in requests.READING.items():
            for state in worlds.STATES:
                browser = world.reader(state)
                found[f"{name}: {state}"] = world.masks.answer(_send(world, browser, case))
        for name, case in requests.COMMON.items():
            browser = world.visitor("never answered", name)
            found[name] = world.masks.answer(_send(world, browser, case))
        found |= _assets(world)
        for path in ("/.well-known/gpc.json", "/.well-known/gpc", "/consents", "/consent2"):
            found[f"GET {path}"] = world.masks.answer(call(world.app, path), original=worlds.PLAIN.encode())
        for method in ("HEAD", "POST"):
            answer = call(world.app, "/.well-known/gpc.json", method=method)
            found[f"{method} /.well-known/gpc.json"] = world.masks.answer(answer)
    with living(policies.magazine, randomness, prefix="/cookies") as world:
        for name in ("preferences", "policy", "sites", "banner", "decision", "embed"):
            for state in ("never answered", "accepted", "narrowed elsewhere"):
                browser = world.reader(state)
                found[f"magazine, {name}: {state}"] = world.masks.answer(
                    _send(world, browser, requests.READING[name])
                )
        for name in ("policy.json", "sites.json"):
            answer = _send(world, Browser(), requests.COMMON[name])
            found[f"magazine, {name}"] = world.masks.answer(answer)
        answer = call(world.app, "/.well-known/gpc.json")
        found["magazine, gpc.json"] = world.masks.answer(answer)
    return found


def _assets(world: World) -> Section:
    html = call(world.app, "/consent").body.decode() + call(world.app, "/plain").body.decode()
    addresses = sorted(set(re.findall(r"/consent/assets/consent\.[0-9a-f]+\.(?:js|css)", html)))
    found: Section = {}
    for address in addresses:
        for method in ("GET", "HEAD", "POST"):
            name = f"{method} {world.masks.text(address)}"
            found[name] = world.masks.answer(call(world.app, address, method=method))
    return found


def _send(world: World, browser: Browser, case: requests.Case, **more: Any) -> Answer:
    """Send a case of the tables; below a root path where it has one."""
    options = case | more
    path = options.pop("path")
    return browser.ask(world.app, f"{options.get('root_path', '')}{world.prefix}{path}", **options)


def decisions(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record how decisions are taken, refused and recorded."""
    found: Section = {}
    with living(policies.example, randomness) as world:
        for name, case in requests.CHANGING.items():
            for state in requests.CHANGERS:
                browser = world.visitor(state, f"{name}: {state}")
                answer = world.masks.answer(_send(world, browser, case))
                after = browser.ask(world.app, f"{world.prefix}/decision").body
                found[f"{name}: {state}"] = {"answer": answer, "after": text_of(after)}
        found |= _sequences(world)
        found |= _records(world.ledger, "after all decisions", last=8)
    with living(policies.example, randomness, origins={"stride": "http://localhost:8000"}) as world:
        for name in ("accept all", "form: reject all", "take everything back", "load once"):
            browser = world.visitor("accepted", f"plain http, {name}")
            found[f"plain http, {name}"] = world.masks.answer(_send(world, browser, requests.CHANGING[name]))
    with living(policies.example, randomness, cookie_domain="stride.example") as world:
        for name in ("accept all", "take one category back"):
            browser = world.visitor("partial", f"cookie domain, {name}")
            found[f"cookie domain, {name}"] = world.masks.answer(
                _send(world, browser, requests.CHANGING[name])
            )
    return found


def _sequences(world: World) -> Section:
    """Repeat decisions: within an hour nothing is written, later it is a renewal."""
    found: Section = {}
    for name, seconds in (
        ("at once", 0),
        ("within the hour", HOUR - 1),
        ("after an hour", HOUR + 1),
        ("after ten days", 10 * DAY),
    ):
        browser = world.visitor("never answered", f"repeated {name}")
        _send(world, browser, requests.CHANGING["accept all"])
        world.clock.seconds = NOW + seconds
        world.randomness.step(f"repeated {name}, again")
        again = _send(world, browser, requests.CHANGING["accept all"])
        world.clock.seconds = NOW
        found[f"accept all, again {name}"] = world.masks.answer(again)
    browser = world.visitor("never answered", "load once and follow")
    once = _send(world, browser, requests.CHANGING["load once"])
    target = once.values("location")[0]
    for seconds in (0, 59, 61):
        world.clock.seconds = NOW + seconds
        found[f"loaded once, after {seconds} seconds"] = world.masks.answer(browser.ask(world.app, target))
    world.clock.seconds = NOW
    return found


def faults(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record what is refused: faulty requests, other origins, odd return addresses, a ledger that cannot be opened."""
    found: Section = {}
    with living(policies.example, randomness) as world:
        for name, case in requests.FAULTY.items():
            browser = world.visitor("accepted", name)
            answer = world.masks.answer(_send(world, browser, case))
            after = json.loads(browser.ask(world.app, f"{world.prefix}/decision").body)["status"]
            found[name] = {"answer": answer, "after": after}
        page = [("accept", "text/html,application/xhtml+xml")]
        for name in ("empty object", "text", "declared too large"):
            case = requests.FAULTY[name]
            answer = _send(world, Browser(), case, headers=[*case.get("headers", ()), *page])
            found[f"{name}, for a browser"] = world.masks.answer(answer)
        for name, headers in requests.ORIGINS.items():
            for kind in ("accept all", "form: accept all", "take everything back"):
                case = requests.CHANGING[kind]
                browser = world.visitor("partial", f"{kind}, {name}")
                answer = _send(world, browser, case, headers=[*case.get("headers", ()), *headers])
                found[f"origin of {kind}: {name}"] = _briefly(world, answer)
        for name, target in requests.NEXT.items():
            for path in ("/decision", "/withdraw"):
                choice = "choice=accept_all&" if path == "/decision" else ""
                browser = world.visitor("accepted", f"{path} next {name}")
                answer = _send(world, browser, requests.form(f"{choice}next={target}", path))
                found[f"next of {path}: {name}"] = _briefly(world, answer)
            answer = _send(world, Browser(), requests.get(f"?next={target}"))
            field = re.search(r'name="next" value="([^"]*)"', answer.body.decode())
            found[f"next in the preferences: {name}"] = field[1] if field else None
        for name, case in requests.ROOTED.items():
            browser = world.visitor("accepted", f"root path, {name}")
            found[f"root path, {name}"] = world.masks.answer(_send(world, browser, case))
        answer = call(world.app, "/consent/decision", root_path="/app")
        found["root path that the path lacks"] = world.masks.answer(answer)
    return found | _without_ledger(policies, randomness, folder)


def _briefly(world: World, answer: Answer) -> list[str]:
    """Keep of an answer only what tells whether and where it went."""
    kept = ("location:", "set-cookie:")
    status, *lines = world.masks.answer(answer)
    return [status, *(line for line in lines if line.lower().startswith(kept))]


def _without_ledger(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    found: Section = {}
    # Where the file should be is a directory.
    (folder / "missing.db").mkdir()
    missing = Ledger(f"sqlite:///{folder}/missing.db", lock_timeout=0.05)
    with living(policies.example, randomness) as world:
        manager = _manager(policies.example, ledger=missing, clock=world.clock, spool=folder / "spool")
        down = ConsentMiddleware(worlds.answering, manager)
        cases = requests.CHANGING | {
            "decision": requests.get("/decision"),
            "preferences": requests.get(""),
            "unknown notice": requests.get(f"/notices/{'A' * 43}"),
        }
        for state in ("never answered", "accepted", "refused"):
            for name, case in cases.items():
                browser = world.visitor(state, f"no ledger, {name}: {state}")
                options = dict(case)
                answer = browser.ask(down, f"/consent{options.pop('path')}", **options)
                found[f"no ledger, {name}: {state}"] = world.masks.answer(answer)
        queued = sorted((folder / "spool").glob("*.json"))
        found["no ledger: queued"] = [
            json.loads(path.read_bytes()) | {"version": "VERSION"} for path in queued
        ]
        for path in queued:
            path.unlink()
        manager.close()
        missing.close()
    return found


# The hand-off


def handoff(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record how a choice goes from one site to another, and every way in which it does not."""
    found: Section = {}
    ledger = Ledger("sqlite://")
    keyed = policies.with_keys
    options = {"private_key": worlds.private_key("stride")}
    world = World(keyed, randomness, ledger, **options)
    manager = _manager(
        keyed, ledger=ledger, clock=world.clock, site="trailhead", private_key=worlds.private_key("trailhead")
    )
    other = ConsentMiddleware(worlds.answering, manager)
    crossing = _Crossing(world, other)
    for state in (
        "never answered",
        "accepted",
        "refused",
        "partial",
        "always one vendor",
        "withdrawn",
        "narrowed elsewhere",
        "expired",
    ):
        found |= crossing.whole(state, "never answered there")
    for there in (requests.CHANGING["reject all"], requests.CHANGING["accept all"]):
        found |= crossing.whole("accepted", there["body"].decode(), there)
    found |= crossing.faults()
    found |= _records(ledger, "after all hand-offs", last=8)
    found["links"] = [list(link) for link in ledger.links()]
    manager.close()
    world.close()
    return found


class _Crossing:
    """Go from the site that wants to know to the one that knows, and back."""

    def __init__(self, world: World, other: ConsentMiddleware) -> None:
        self.world, self.other = world, other

    def start(
        self, browser: Browser, path: str = "/consent/handoff/start?iss=stride&next=/x", **more: Any
    ) -> Answer:
        return browser.ask(self.other, path, **more)

    def issue(self, browser: Browser, address: str, **more: Any) -> Answer:
        return browser.ask(self.world.app, address.partition("stride.example")[2], **more)

    def finish(self, browser: Browser, address: str, **more: Any) -> Answer:
        return browser.ask(self.other, address.partition("trailhead.example")[2], **more)

    def described(self, answer: Answer) -> list[str]:
        return self.world.masks.answer(answer)

    def whole(self, state: str, there: str, before: requests.Case | None = None) -> Section:
        name = f"{state}, {there}"
        here = self.world.visitor(state, f"hand-off {name}")
        visitor = Browser()
        if before:
            options = dict(before)
            visitor.ask(self.other, f"/consent{options.pop('path')}", **options)
        step = self.world.randomness.step
        step(f"hand-off {name}, start")
        started = self.start(visitor)
        step(f"hand-off {name}, issue")
        issued = self.issue(here, started.values("location")[0])
        step(f"hand-off {name}, return")
        returned = self.finish(visitor, issued.values("location")[0])
        first = visitor.ask(self.other, "/plain")
        after = visitor.ask(self.other, "/consent/decision")
        return {
            f"{name}: start": self.described(started),
            f"{name}: issue": self.described(issued),
            f"{name}: return": self.described(returned),
            f"{name}: first page": self.described(first),
            f"{name}: decision": text_of(after.body),
        }

    def faults(self) -> Section:
        found: Section = {}
        for name, path in {
            "no issuer": "?next=/x",
            "unknown issuer": "?iss=nobody&next=/x",
            "itself": "?iss=trailhead&next=/x",
            "next elsewhere": "?iss=stride&next=//evil.example",
            "next under the prefix": "?iss=stride&next=/consent",
            "issuer twice": "?iss=stride&iss=stride",
        }.items():
            self.world.randomness.step(f"start {name}")
            found[f"start: {name}"] = self.described(self.start(Browser(), f"/consent/handoff/start{path}"))
        state = "A" * 43
        for name, query in {
            "good": f"?aud=trailhead&st={state}",
            "no audience": f"?st={state}",
            "itself": f"?aud=stride&st={state}",
            "unknown audience": f"?aud=nobody&st={state}",
            "short state": "?aud=trailhead&st=AAA",
            "state twice": f"?aud=trailhead&st={state}&st={state}",
            "more": f"?aud=trailhead&st={state}&next=/",
            "nothing": "",
        }.items():
            here = self.world.visitor("accepted", f"issue {name}")
            answer = here.ask(self.world.app, f"/consent/handoff/issue{query}")
            found[f"issue: {name}"] = self.described(answer)
        good = f"/consent/handoff/issue?aud=trailhead&st={state}"
        for name, headers in {
            "document": [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")],
            "frame": [("sec-fetch-dest", "iframe")],
            "fetched": [("sec-fetch-mode", "cors")],
            "prefetched": [("sec-purpose", "prefetch")],
            "previewed": [("purpose", "preview")],
            "frame, for a browser": [("sec-fetch-dest", "iframe"), ("accept", "text/html")],
        }.items():
            here = self.world.visitor("accepted", f"issue {name}")
            found[f"issue, {name}"] = self.described(here.ask(self.world.app, good, headers=headers))
        for method in ("HEAD", "POST"):
            here = self.world.visitor("accepted", f"issue {method}")
            found[f"issue, {method}"] = self.described(here.ask(self.world.app, good, method=method))
        for name, change in _RETURNS.items():
            found[f"return: {name}"] = self.returning(name, change)
        return found

    def returning(self, name: str, change: Callable[["_Crossing", Browser, str], str]) -> list[str]:
        here = self.world.visitor("accepted", f"return {name}")
        visitor = Browser()
        step = self.world.randomness.step
        step(f"return {name}, start")
        started = self.start(visitor)
        step(f"return {name}, issue")
        address = self.issue(here, started.values("location")[0]).values("location")[0]
        step(f"return {name}, return")
        address = change(self, visitor, address)
        answer = self.described(self.finish(visitor, address))
        self.world.clock.seconds = NOW
        return answer


def _no_cookie(crossing: _Crossing, visitor: Browser, address: str) -> str:
    visitor.jar.clear()
    return address


def _forged_cookie(crossing: _Crossing, visitor: Browser, address: str) -> str:
    visitor.jar = {name: f"x{value}" for name, value in visitor.jar.items()}
    return address


def _replayed(crossing: _Crossing, visitor: Browser, address: str) -> str:
    crossing.finish(visitor.copy(), address)
    crossing.world.randomness.step("replayed")
    return address


def _late(crossing: _Crossing, visitor: Browser, address: str) -> str:
    crossing.world.clock.seconds = NOW + 100
    return address


def _too_late(crossing: _Crossing, visitor: Browser, address: str) -> str:
    crossing.world.clock.seconds = NOW + 121
    return address


def _two_tabs(crossing: _Crossing, visitor: Browser, address: str) -> str:
    crossing.world.randomness.step("second tab")
    crossing.start(visitor, "/consent/handoff/start?iss=stride&next=/y")
    return address


def _other_tab(crossing: _Crossing, visitor: Browser, address: str) -> str:
    visitor.jar.clear()
    crossing.world.randomness.step("other tab")
    crossing.start(visitor, "/consent/handoff/start?iss=stride&next=/y")
    return address


_RETURNS: dict[str, Callable[[_Crossing, Browser, str], str]] = {
    "no transaction": _no_cookie,
    "forged transaction": _forged_cookie,
    "used before": _replayed,
    "after 100 seconds": _late,
    "after 121 seconds": _too_late,
    "first of two tabs": _two_tabs,
    "transaction of another tab": _other_tab,
    "no token": lambda crossing, visitor, address: address.partition("?")[0],
    "empty token": lambda crossing, visitor, address: address.partition("?")[0] + "?t=",
    "token changed": lambda crossing, visitor, address: f"{address[:-2]}AA",
    "token twice": lambda crossing, visitor, address: f"{address}&t=x",
}


# The application's pages

SENT = {
    "_ga": "1",
    "__gads": "2",
    "stride-entry": "x",
    "reading-size": "2",
    "unknown": "1",
    "watched": "3",
    "seen_ads": "4",
}
ALL_STATES = tuple(state for state in worlds.STATES if state not in ("withdrawn elsewhere", "tampered"))
SOME_STATES = ("never answered", "accepted", "partial", "narrowed elsewhere")


def pages(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record what becomes of an application's answers."""
    found: Section = {}
    variants: dict[str, tuple[Policy, dict[str, Any], tuple[str, ...]]] = {
        "plainly": (policies.magazine, {}, ALL_STATES),
        "csp": (policies.magazine, {"csp": worlds.CSP}, SOME_STATES),
        "csp with nonce": (policies.example, {"csp": worlds.CSP_WITH_NONCE}, SOME_STATES),
        "strict, debug": (policies.with_more_cookies, {"strict": True, "debug": True}, SOME_STATES),
        "no banner": (policies.with_more_cookies, {"banner": False, "prefix": "/a/b"}, SOME_STATES),
        "plain http": (policies.example, {"origins": {"stride": "http://localhost:8000"}}, SOME_STATES),
    }
    for variant, (policy, options, states) in variants.items():
        paths = _SOME_PAGES.get(variant, worlds.PAGES)
        with living(policy, randomness, **options) as world:
            for path in paths:
                for state in states:
                    name = f"{variant}, {path}: {state}"
                    browser = world.reader(state)
                    browser.jar |= SENT
                    found[name] = _page(world, browser, path)
            if paths is worlds.PAGES:
                found |= _more_pages(world, variant)
    return found


_FEW_PAGES = dict.fromkeys(("/plain", "/read", "/cookies", "/json-cookies", "/public"))
_SOME_PAGES = {
    "csp": dict.fromkeys(("/plain", "/public", "/own-csp", "/not-modified", "/json", "/fragment")),
    "strict, debug": dict.fromkeys(("/plain", "/cookies", "/json-cookies", "/public-cookies")),
    "no banner": _FEW_PAGES,
    "plain http": _FEW_PAGES,
}


def _page(world: World, browser: Browser, path: str, **more: Any) -> list[str]:
    original = worlds.PAGES[path].body if path in worlds.PAGES else None
    return world.masks.answer(browser.ask(world.app, path, **more), original=original)


def _more_pages(world: World, variant: str) -> Section:
    """Record what single requests change."""
    found: Section = {}
    accept = [("accept", "text/html")]
    singles: dict[str, dict[str, Any]] = {
        "HEAD /plain": {"method": "HEAD"},
        "HEAD /tagged": {"method": "HEAD"},
        "POST /plain": {"method": "POST"},
        "/plain as a fragment": {"headers": [("hx-request", "true")]},
        "/plain with a range": {"headers": [("range", "bytes=0-5")]},
        "/plain in Dutch": {"headers": [("accept-language", "nl")]},
        "/plain?a=b&c": {},
        "/tagged with its tag": {"headers": [("if-none-match", '"t"')]},
        "/headers with tags": {
            "headers": [
                ("if-none-match", '"t~ck.000000000000000000", "plain"'),
                ("if-match", '"t~ck.000000000000000000"'),
                ("x-other", "1"),
            ]
        },
        "/headers": {},
        "/decides": {},
        "/changes": {},
        "/withdraws": {},
        "/tells": {},
        "/template": {},
        "/template below a root path": {"root_path": "/app"},
        "/category-only": {},
        "/vendor-only": {},
        "/vendor-only for a browser": {"headers": accept},
        "/category-only for a browser below a root path": {"headers": accept, "root_path": "/app"},
        "/vendor-only below a root path": {"root_path": "/app"},
        "/plain below a root path": {"root_path": "/app"},
    }
    for single, options in singles.items():
        for state in SOME_STATES:
            name = f"{variant}, {single}: {state}"
            path = next(word for word in single.split() if word.startswith("/"))
            target = f"{options.get('root_path', '')}{path}"
            decides = path in ("/decides", "/changes", "/withdraws")
            browser = world.visitor(state, name) if decides else world.reader(state)
            browser.jar |= SENT
            original = worlds.PLAIN.encode() if path == "/plain" else None
            answer = browser.ask(world.app, target, **options)
            found[name] = world.masks.answer(answer, original=original)
    for state in SOME_STATES:
        name = f"{variant}, tag sent back: {state}"
        browser = world.reader(state)
        tag = browser.ask(world.app, "/tagged").values("etag")
        seen = browser.ask(world.app, "/headers", headers=[("if-none-match", value) for value in tag])
        found[name] = world.masks.text(seen.body.decode())
    return found


# Websockets


def websockets(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record handshakes, with every visitor."""
    found: Section = {}
    with living(policies.magazine, randomness) as world:
        for state in worlds.STATES:
            for path in ("/chat", "/chat-only", "/chat-decides", "/consent/decision"):
                name = f"{path}: {state}"
                browser = world.visitor(state, name)
                browser.jar |= SENT
                found[name] = _messages(connect(world.app, path, headers=browser.sent()))
    return found


def _messages(answer: Answer) -> list[Any]:
    found = []
    for message in answer.messages:
        headers = [f"{n.decode()}: {v.decode()}" for n, v in message.get("headers") or ()]
        found.append(message | ({"headers": headers} if "headers" in message else {}))
    return found


# What stands on the adapter


def adapters(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record FastAPI's dependencies, and the visitors that other people's tests make."""
    found: Section = {}
    app = FastAPI(openapi_url=None)

    @app.get("/shown")
    async def shown(consent: ConsentDep) -> dict[str, Any]:
        return {"granted": sorted(consent.granted), "status": consent.status}

    @app.get("/asked", dependencies=[require_consent("social", vendor="youtube")])
    async def asked() -> str:
        return "allowed"

    with living(policies.example, randomness) as world:
        app.add_middleware(ConsentMiddleware, manager=world.manager)
        for path in ("/shown", "/asked"):
            for state in SOME_STATES:
                answer = world.reader(state).ask(app, path, headers=[("accept", "*/*")])
                found[f"FastAPI, {path}: {state}"] = world.masks.answer(answer)
        for name, make in {
            "grant": lambda client: grant(client, world.manager, "social", "analytical", vendors=("adhub",)),
            "grant one": lambda client: grant(client, world.manager, "tracking"),
            "refuse": lambda client: refuse(client, world.manager),
            "withdraw": lambda client: withdraw(
                client, world.manager, grant(client, world.manager, "social")
            ),
        }.items():
            randomness.step(f"testing, {name}")
            client = TestClient(world.app)
            make(client)
            found[f"testing, {name}"] = dict(client.cookies)
    return found


# The ledger


def ledger(policies: Policies, randomness: Randomness, folder: Path) -> Section:
    """Record what is kept after a script of decisions: every column, and which tables there are."""
    path = folder / "consent.db"
    kept = Ledger(f"sqlite:///{path}")
    script = (
        "accept all",
        "merge a refusal",
        "form: change",
        "take one category back",
        "load once",
        "take everything back",
        "form: save",
        "with GPC",
    )
    with living(policies.magazine, randomness, ledger=kept) as world:
        browser = world.visitor("never answered", "the script")
        references = []
        for hours, name in enumerate(script):
            world.clock.seconds = NOW + hours * 2 * HOUR
            world.randomness.step(f"the script, {name}")
            answer = _send(world, browser, requests.CHANGING[name])
            references.append([name, answer.status])
        subject = next(record.subject for record in reversed(list(kept.records())) if record.subject)
        world.randomness.step("the script, customer service")
        taken_back = world.manager.withdraw_subject(subject)
        after = browser.ask(world.app, "/consent/decision")
        found: Section = {
            "script": references,
            "withdrawn by customer service": _row(taken_back),
            "decision after that": world.masks.answer(after),
            "history": [record.event for record in kept.history(subject)],
        }
        found |= _records(kept, "of the script")
        found["notices"] = [[digest, sorted(content)] for digest, content in kept.notices()]
        digest = world.manager.notice.digest
        world.manager.recorder.renderings.close()
        found["renderings"] = sorted([words.language, words.surface] for words in kept.renderings(digest))
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        found["tables"] = {name: " ".join(sql.split()) for name, sql in tables}
        rows = database.execute("SELECT * FROM consentkit_records ORDER BY seq LIMIT 1")
        names = [column[0] for column in rows.description]
        found["first row"] = dict(zip(names, rows.fetchone(), strict=True)) | {"version": "VERSION"}
    return found


def _records(kept: Ledger, name: str, last: int = 100) -> Section:
    rows = [_row(record) for record in kept.records()]
    return {f"number of records {name}": len(rows)} | {
        f"record {place} {name}": row for place, row in list(enumerate(rows, 1))[-last:]
    }


def _row(record: Any) -> Any:
    return asdict(record) | {"version": "VERSION"} if record else None


SECTIONS: dict[str, Callable[[Policies, Randomness, Path], Section]] = {
    "tokens": tokens,
    "digests": digests,
    "own addresses": own_addresses,
    "decisions": decisions,
    "faults": faults,
    "hand-off": handoff,
    "pages": pages,
    "websockets": websockets,
    "adapters": adapters,
    "ledger": ledger,
}


# The file


def read() -> Recording:
    """Read what was recorded."""
    recorded: Recording = json.loads(RECORDED.read_text("utf-8"))
    return recorded


def write(recording: Recording) -> None:
    """Write a recording, one value a line and sorted, so that its history can be read."""
    text = json.dumps(recording, indent=0, sort_keys=True, ensure_ascii=False)
    RECORDED.write_text(f"{text}\n", "utf-8")


def lines(recording: Recording, section: str, case: str) -> list[str]:
    """Write one case out, as lines to compare; nothing where there is no such case."""
    cases = recording.get(section, {})
    if case not in cases:
        return []
    whole = unfold(cases[case], recording.get(SHARED, {}))
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def cases(recording: Recording) -> list[tuple[str, str]]:
    """List all cases with their sections."""
    return [(section, case) for section in recording if section != SHARED for case in recording[section]]


def differences(before: Recording, after: Recording, *, context: int = 2) -> Iterator[str]:
    """Compare two recordings case by case, in lines for people."""
    for section, case in dict.fromkeys([*cases(before), *cases(after)]):
        found = difference(before, after, section, case, context=context)
        if found:
            yield f"## {section}: {case}"
            yield from found


def difference(
    before: Recording, after: Recording, section: str, case: str, *, context: int = 2
) -> list[str]:
    """Compare one case, in lines for people; none where nothing differs."""
    old, new = lines(before, section, case), lines(after, section, case)
    return list(difflib.unified_diff(old, new, "recorded", "now", lineterm="", n=context))
