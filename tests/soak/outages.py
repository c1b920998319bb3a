"""Outages over HTTP: stall, queue, recover, replay. Nothing answered is lost, and nothing withdrawn grants again."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.soak.client import Answer, Browser, ask
from tests.soak.world import OUTAGES, World

__all__ = ["Findings", "one_round"]

VISITORS = 12


@dataclass
class Findings:
    """What went wrong, counted by kind; and what was done.

    Attributes:
        wrong: faults by kind; empty if all is well.
        answered: decisions that were answered with success during the outage.
        refused: decisions that were answered with 503.
        slowest_page: seconds of the slowest page during the outage.
    """

    wrong: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    refused: int = 0
    slowest_page: float = 0.0

    def add(self, other: "Findings") -> None:
        """Add what another round found."""
        self.wrong += other.wrong
        self.answered += other.answered
        self.refused += other.refused
        self.slowest_page = max(self.slowest_page, other.slowest_page)


def one_round(world: World, outage: str, *, restart: str | None = None) -> Findings:
    """Take the database away while visitors decide, bring it back, and replay all cookies at all workers.

    `restart` ends the workers during the outage: `kill` at once, `term` as a deployment does.
    """
    findings = Findings()
    browsers = [Browser() for _ in range(VISITORS)]
    with world.reading() as ledger:
        before = {record.id for record in ledger.records()}
    _everyone_accepts(world, browsers)
    kind = "sqlite" if world.url.startswith("sqlite") else "postgresql"
    with OUTAGES[kind][outage](world):
        _decide(world, browsers, findings)
        # A frozen server still serves new connections.
        if outage != "frozen":
            _refuse_grants(world, findings)
        # Without the directory of its ledger a process does not start, and says so.
        if restart is not None and outage != "moved away":
            world.restart(kill=restart == "kill")
            _pages(world, browsers, findings)
    world.settle()
    _check_records(world, browsers, before, findings)
    _check_replays(world, browsers, findings)
    return findings


def _everyone_accepts(world: World, browsers: list[Browser]) -> None:
    for number, browser in enumerate(browsers):
        answer = browser.accept(world.ports[number % len(world.ports)])
        assert answer.status == 200, answer
        ask(world.ports[0], "GET", "/granted", token=browser.token)


def _decide(world: World, browsers: list[Browser], findings: Findings) -> None:
    """Let a third of the visitors withdraw, a third narrow and then withdraw, and a third look at pages."""

    def act(number: int) -> list[Answer]:
        browser, ports = browsers[number], world.ports
        here, there = ports[number % len(ports)], ports[(number + 1) % len(ports)]
        if number % 3 == 0:
            return [browser.withdraw(here)]
        if number % 3 == 1:
            return [browser.narrow(here), browser.withdraw(there)]
        return []

    with ThreadPoolExecutor(VISITORS) as threads:
        acting = [threads.submit(act, number) for number in range(len(browsers))]
        _pages(world, browsers, findings)
        for result in acting:
            for answer in result.result():
                if answer.status == 200:
                    findings.answered += 1
                else:
                    findings.wrong[f"a narrowing was answered with {answer.status}"] += 1


def _refuse_grants(world: World, findings: Findings) -> None:
    stranger = Browser()
    if stranger.accept(world.ports[0]).status != 503 or stranger.token:
        findings.wrong["a grant was answered without the ledger"] += 1
    findings.refused += 1


def _pages(world: World, browsers: list[Browser], findings: Findings) -> None:
    for browser in browsers:
        for port in world.ports:
            begun = time.monotonic()
            page = ask(port, "GET", "/", token=browser.token)
            findings.slowest_page = max(findings.slowest_page, time.monotonic() - begun)
            if page.status != 200:
                findings.wrong[f"a page was answered with {page.status}"] += 1


def _check_records(world: World, browsers: list[Browser], before: set[str], findings: Findings) -> None:
    with world.reading() as ledger:
        added = [record for record in ledger.records() if record.id not in before]
    ids = [record.id for record in added]
    told = Counter(world.told.read_text("ascii").split())
    findings.wrong["a record is stored twice"] += len(ids) - len(set(ids))
    findings.wrong["a listener was told twice"] += sum(1 for record_id in ids if told[record_id] > 1)
    findings.wrong["a listener was not told"] += sum(1 for record_id in ids if not told[record_id])
    by_subject: dict[str, list[str]] = {}
    for record in added:
        by_subject.setdefault(record.subject or "", []).append(record.status)
    for number, browser in enumerate(browsers):
        assert browser.granted is not None
        subject = browser.granted.split(".")[6]
        expected = 1 + (number % 3 == 0) + 2 * (number % 3 == 1)
        if len(by_subject.get(subject, ())) != expected:
            findings.wrong["an answered decision has no record"] += 1
    findings.wrong = +findings.wrong


def _check_replays(world: World, browsers: list[Browser], findings: Findings) -> None:
    for number, browser in enumerate(browsers):
        for port in world.ports:
            for token in {browser.token, browser.granted}:
                said = ask(port, "GET", "/granted", token=token).said
                has_withdrawn = number % 3 != 2
                if has_withdrawn and (said["granted"] or said["vendors"]):
                    findings.wrong["a withdrawn cookie grants"] += 1
                if not has_withdrawn and not said["granted"]:
                    findings.wrong["a grant that stands was lost"] += 1
