"""Random choices, hand-offs, withdrawals, clock jumps and lost messages over three sites, against a simple model."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consentkit import Ledger
from consentkit.policy.duration import Duration
from tests.conftest import Clock
from tests.support.family import COOKIE, IDS, TRANSACTION, Browser, a_family

RECHECK = 60
HALF_A_YEAR = Duration.parse("P6M")
OPTIONAL = ("analytical", "tracking", "social")
NOTHING: frozenset[str] = frozenset()
sites = st.sampled_from(IDS)
answers = st.sampled_from(
    [frozenset(OPTIONAL), frozenset(OPTIONAL), frozenset(OPTIONAL[:1]), frozenset(OPTIONAL[1:]), NOTHING]
)
ways = st.permutations(IDS)
seldom = st.sampled_from([False, False, False, True])
jumps = st.sampled_from([1, 20, 59, 60, 61, 3599, 3600, 86_400, 100 * 86_400])
pauses = st.sampled_from([0, 0, 0, 30, 90, 91, 120, 121])


@dataclass
class Answer:
    """What one visitor answered on one site: under a pseudonym of the ledger where it grants anything."""

    granted: frozenset[str]
    kind: str
    decided: int
    changed: int
    linked: "list[Answer]" = field(default_factory=list)

    def expired(self, now: int) -> bool:
        return now >= HALF_A_YEAR.seconds_from(self.decided)

    def copy(self) -> "Answer":
        return Answer(self.granted, self.kind, self.decided, self.changed)

    def become(self, other: "Answer") -> None:
        self.granted, self.kind, self.decided, self.changed = (
            other.granted,
            other.kind,
            other.decided,
            other.changed,
        )

    def join(self, other: "Answer") -> None:
        self.linked.append(other)
        other.linked.append(self)

    def others(self) -> "list[Answer]":
        found, waiting = [self], [self]
        while waiting:
            for one in waiting.pop().linked:
                if all(one is not known for known in found):
                    found.append(one)
                    waiting.append(one)
        return found[1:]

    def narrow(self, by: "Answer") -> None:
        """Lose what the other does not grant."""
        left = self.granted & by.granted
        if left == self.granted:
            return
        self.changed = max(self.changed, by.changed)
        if not left:
            self.kind, self.decided = "withdrawn" if by.kind == "withdrawn" else "decided", by.decided
        self.granted = left

    def spread(self, *, brought: bool = False) -> None:
        """Take back on linked sites what this does not grant; what was brought takes nothing back that is newer."""
        for other in self.others():
            if not (brought and other.changed > self.changed):
                other.narrow(self)


@dataclass(eq=False)
class Trip:
    """A hand-off that is under way, with what it carries."""

    issuer: str
    audience: str
    response: Any
    transaction: str
    at: int
    carried: Answer | None
    handle: Answer | None


class GroupOverTime(RuleBasedStateMachine):
    """Play the visitor; `here` is the model: the answer that counts on each site."""

    @initialize()
    def open_the_sites(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="consentkit-group-"))
        self.clock = Clock(datetime(2026, 8, 31, 12, tzinfo=UTC))
        self.ledger = Ledger(f"sqlite:///{self.folder / 'consent.db'}")
        self.running = a_family(self.ledger, self.clock, recheck=RECHECK)
        self.family = self.running.__enter__()
        self.browser: Browser = self.family.browser()
        self.here: dict[str, Answer | None] = dict.fromkeys(IDS)
        self.past: dict[str, list[tuple[int, frozenset[str]]]] = {site: [(0, NOTHING)] for site in IDS}
        self.trips: list[Trip] = []
        self.begun: dict[str, list[Trip]] = {site: [] for site in IDS}
        self.used: Trip | None = None

    @property
    def now(self) -> int:
        return int(self.clock())

    def answer(self, site: str) -> Answer | None:
        found = self.here[site]
        return None if found is None or found.expired(self.now) else found

    def remember(self) -> None:
        for site in IDS:
            found = self.answer(site)
            granted = found.granted if found else NOTHING
            if self.past[site][-1][1] != granted:
                self.past[site].append((self.now, granted))

    def lately(self, site: str) -> frozenset[str]:
        """Collect what was granted at any moment of the last `recheck` seconds."""
        past = self.past[site]
        ends = [since for since, _ in past[1:]] + [self.now + 1]
        return frozenset().union(
            *(granted for (_, granted), end in zip(past, ends, strict=True) if end > self.now - RECHECK)
        )

    # What the visitor does

    @rule(site=sites, granted=answers, lost=seldom)
    def decide(self, site: str, granted: frozenset[str], lost: bool) -> None:
        self.catch_up()
        self.answer_now(site, granted, lost=lost)

    def answer_now(self, site: str, granted: frozenset[str], *, lost: bool = False) -> None:
        jar = dict(self.browser.jars[site])
        self.browser.choose(site, dict.fromkeys(granted, True) or {"social": False})
        if lost:
            self.browser.jars[site] = jar
        old = self.answer(site)
        if old and (old.granted, old.kind) == (granted, "decided") and self.now - old.decided < 3600:
            return
        self.settle(site, Answer(granted, "decided", self.now, self.now), lost=lost)
        self.remember()

    @rule(site=sites, category=st.sampled_from(OPTIONAL), lost=seldom)
    def change(self, site: str, category: str, lost: bool) -> None:
        """Switch one category, where an answer stands and something is left of it: validity does not move."""
        self.catch_up()
        old = self.answer(site)
        granted = (old.granted if old else NOTHING) ^ {category}
        if old is None or not old.granted or not granted:
            return
        jar = dict(self.browser.jars[site])
        body = {"categories": {category: category in granted}}
        assert self.browser.send(site, "PATCH", "/consent/decision", json=body).status_code == 200
        if lost:
            self.browser.jars[site] = jar
        self.settle(site, Answer(granted, "decided", old.decided, max(self.now, old.changed)), lost=lost)
        self.remember()

    @rule(site=sites, lost=seldom)
    def withdraw(self, site: str, lost: bool) -> None:
        self.catch_up()
        jar = dict(self.browser.jars[site])
        self.browser.withdraw(site)
        if lost:
            self.browser.jars[site] = jar
        old = self.answer(site)
        if old is not None and old.granted:
            at = max(self.now, old.changed)
            self.settle(site, Answer(NOTHING, "withdrawn", at, at), lost=lost)
            self.remember()

    @rule(site=sites)
    def forget(self, site: str) -> None:
        """Remove a site's cookies by the browser's own means."""
        self.browser.jars[site] = {}
        self.here[site], self.begun[site] = None, []
        self.remember()

    def settle(
        self, site: str, new: Answer, *, lost: bool, brought: bool = False, handle: Answer | None = None
    ) -> None:
        """Let an answer count: under the pseudonym that stands, else under a new one, which a lost message takes along."""
        old = self.answer(site)
        if old is not None and old.granted:
            old.become(new)
            new = old
        elif handle is not None and new.granted:
            handle.become(new)
            new = handle
        if not lost:
            self.here[site] = new
        new.spread(brought=brought)

    # What goes from site to site

    @rule(way=ways, lost=seldom, pause=pauses)
    def cross(self, way: list[str], lost: bool = False, pause: int = 0) -> None:
        self.set_out(way)
        self.wait(pause)
        self.arrive(-1, lost)

    @rule(way=ways, lost=seldom, granted=answers)
    def decide_and_cross(self, way: list[str], lost: bool, granted: frozenset[str]) -> None:
        self.decide(way[0], granted, lost=False)
        self.cross(way, lost)

    @rule(way=ways, first=answers, second=answers)
    def answer_two_sites_at_once(self, way: list[str], first: frozenset[str], second: frozenset[str]) -> None:
        """Answer on two sites in one second; where they are linked, the second could not yet have heard of the first."""
        self.catch_up()
        here, there = self.answer(way[0]), self.answer(way[1])
        if here is None or there is None or all(there is not other for other in here.others()):
            self.answer_now(way[0], first)
            self.answer_now(way[1], second)
            self.cross(way)

    @rule(way=ways, granted=answers)
    def outlive(self, way: list[str], granted: frozenset[str]) -> None:
        """Carry an answer that is old already, and wait until it has ended."""
        self.decide(way[0], granted, lost=False)
        self.wait(100 * 86_400)
        self.cross(way)
        self.wait(90 * 86_400)

    @rule(way=ways)
    def set_out(self, way: list[str]) -> None:
        issuer, audience, _ = way
        response = self.browser.issue(issuer, audience)
        known = self.answer(issuer)
        handle = Answer(NOTHING, "", 0, -1) if known is not None and known.granted else None
        if known is not None and handle is not None:
            handle.join(known)
        transaction = self.browser.jars[audience][TRANSACTION]
        carried = known.copy() if known else None
        trip = Trip(issuer, audience, response, transaction, self.now, carried, handle)
        self.trips.append(trip)
        self.begun[audience] = [trip, *self.under_way(audience)][:4]

    @rule(site=sites)
    def carry_to_all(self, site: str) -> None:
        """Press the button for all sites: there the answer counts as changed now, and ends when it would have ended."""
        known = self.answer(site)
        self.browser.carry(site)
        if known is None:
            return
        self.begun[site] = self.under_way(site)[:3]
        for audience in IDS:
            if audience != site:
                self.carry_to(site, audience)

    def carry_to(self, issuer: str, audience: str) -> None:
        known = self.answer(issuer)
        assert known is not None
        handle = Answer(NOTHING, "", 0, -1) if known.granted else None
        if handle is not None:
            handle.join(known)
        carried = known.copy()
        carried.changed = max(self.now, known.changed)
        self.begun[audience] = self.under_way(audience)[:3]
        self.take_over(Trip(issuer, audience, None, "", self.now, carried, handle), carried, lost=False)

    def under_way(self, site: str) -> list[Trip]:
        """List what the browser has under way there, newest first."""
        return [trip for trip in self.begun[site] if self.now - trip.at <= 120]

    @precondition(lambda self: self.trips)
    @rule(place=st.integers(-3, 3), lost=seldom)
    def arrive(self, place: int, lost: bool) -> None:
        trip = self.trips.pop(place % len(self.trips))
        site, jar = trip.audience, dict(self.browser.jars[trip.audience])
        self.show_a_thief(trip)
        under_way = self.under_way(site)
        valid = trip in under_way and self.now - trip.at <= 90
        finish = self.browser.follow(trip.response)
        assert finish.status_code == 303 and finish.headers["location"] in ("/shoes", "/")
        ended = trip if trip in under_way else (under_way or [trip])[0]
        if ended is not trip and trip.carried is not None and ended.issuer == trip.issuer:
            ended = trip  # of no transaction that this browser still has: those are left alone
        if lost:
            self.browser.jars[site] = jar
        else:
            self.begun[site] = [other for other in under_way if other is not ended]
        if not valid or trip.carried is None:
            return
        self.used = trip
        if not trip.carried.expired(self.now):
            self.take_over(trip, trip.carried, lost=lost)

    def take_over(self, trip: Trip, carried: Answer, *, lost: bool) -> None:
        """Merge what is brought with what is there."""
        site, local = trip.audience, self.answer(trip.audience)
        # What a linked site took back at that moment or later refuses the hand-off, which then links nothing.
        linked = trip.handle.others() if trip.handle is not None else []
        is_refused = any(
            other.changed >= carried.changed and not carried.granted <= other.granted for other in linked
        )
        if trip.handle is not None and local is not None and local.granted and not is_refused:
            trip.handle.join(local)
        newer = local is None or (carried.changed, -len(carried.granted)) > (
            local.changed,
            -len(local.granted),
        )
        joined = (local if local is not None and local.granted else None) or trip.handle
        taken_back = carried.granted and any(
            other.changed >= carried.changed and not carried.granted <= other.granted
            for other in (joined.others() if joined is not None else ())
        )
        if newer and not taken_back:
            self.settle(site, carried, lost=lost, brought=True, handle=trip.handle)
            self.remember()

    def show_a_thief(self, trip: Trip) -> None:
        """Let another browser, with a transaction of its own, open the address first."""
        thief = self.family.browser()
        thief.start(trip.issuer, trip.audience)
        thief.follow(trip.response)
        assert COOKIE not in thief.jars[trip.audience]

    @precondition(lambda self: self.used is not None)
    @rule(forgotten=st.booleans())
    def arrive_again(self, forgotten: bool) -> None:
        """Open an address once more whose token is used up, with the transaction that it belonged to."""
        assert self.used is not None
        site = self.used.audience
        if forgotten:
            self.forget(site)
        jar = dict(self.browser.jars[site])
        self.browser.jars[site][TRANSACTION] = self.used.transaction
        before = self.browser.jars[site].get(COOKIE)
        self.browser.follow(self.used.response)
        assert self.browser.jars[site].get(COOKIE) == before
        self.browser.jars[site] = jar

    # Time, and what has to hold

    @rule(seconds=jumps)
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.remember()

    def catch_up(self) -> None:
        """Let every site hear of the others, so that what is decided next is decided upon what holds."""
        self.clock.advance(RECHECK)
        self.remember()

    @rule()
    def settled(self) -> None:
        self.catch_up()
        for site in IDS:
            found = self.answer(site)
            assert self.browser.granted(site) == (found.granted if found else NOTHING), site

    @invariant()
    def nothing_is_granted_that_was_not_given(self) -> None:
        for site in IDS:
            assert self.browser.granted(site) <= self.lately(site), site

    def teardown(self) -> None:
        if hasattr(self, "running"):
            self.settled()
            self.running.__exit__(None, None, None)
            self.ledger.close()
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the ledger may take longer than a visitor is made to wait for it."""
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 30.0)


# XS-03, XS-05, WD-05
@pytest.mark.timeout(600)
def test_nothing_is_granted_that_the_model_does_not_grant_and_everything_settles_within_recheck() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # Hypothesis gives it no types
        GroupOverTime,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


ALL, SOCIAL, OTHERS = frozenset(OPTIONAL), frozenset(OPTIONAL[2:]), frozenset(OPTIONAL[:2])
A, B, C = IDS


def a_withdrawal_goes_round(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.cross([A, B, C])
    play.cross([B, C, A])
    play.withdraw(C, lost=False)


def a_grant_comes_after_it_was_taken_back(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.set_out([A, B, C])
    play.withdraw(A, lost=False)
    play.arrive(0, lost=False)


def a_grant_comes_again(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.cross([A, B, C])
    play.arrive_again(forgotten=True)


def an_old_answer_is_carried(play: GroupOverTime) -> None:
    play.outlive([A, B, C], ALL)


def a_token_lies_about(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.cross([A, B, C], pause=91)


def two_answers_are_of_one_second(play: GroupOverTime) -> None:
    play.answer_two_sites_at_once([A, B, C], ALL, SOCIAL)
    play.answer_two_sites_at_once([C, B, A], NOTHING, ALL)


def an_old_answer_was_changed_last(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.decide(B, ALL, lost=False)
    play.change(A, "social", lost=False)
    play.cross([A, B, C])


def a_refusal_is_repeated_where_it_came_from_another_site(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.cross([A, C, B])
    play.decide(C, NOTHING, lost=False)
    play.decide(B, ALL, lost=False)
    play.decide(A, NOTHING, lost=False)
    play.cross([A, B, C])


def what_is_brought_meets_what_is_newer_elsewhere(play: GroupOverTime) -> None:
    play.decide(B, SOCIAL, lost=False)
    play.cross([B, C, A])
    play.decide(A, OTHERS, lost=False)
    play.decide(C, ALL, lost=False)
    play.cross([A, B, C])


def a_hand_off_that_is_refused_links_nothing(play: GroupOverTime) -> None:
    play.decide_and_cross([C, B, A], lost=False, granted=OTHERS)
    play.answer_two_sites_at_once([C, A, B], SOCIAL, SOCIAL)
    play.change(A, "analytical", lost=False)
    play.change(A, "social", lost=False)


def a_choice_is_used_everywhere_over_newer_ones(play: GroupOverTime) -> None:
    play.decide(A, SOCIAL, lost=False)
    play.decide(B, ALL, lost=False)
    play.decide(C, NOTHING, lost=False)
    play.wait(1)
    play.carry_to_all(A)
    play.wait(100 * 86_400)
    play.withdraw(B, lost=False)
    play.carry_to_all(C)
    play.wait(90 * 86_400)


def a_refusal_is_used_everywhere_and_links_are_under_way(play: GroupOverTime) -> None:
    play.decide(A, ALL, lost=False)
    play.cross([A, B, C])
    play.decide(C, NOTHING, lost=False)
    play.set_out([A, C, B])
    play.set_out([B, A, C])
    play.carry_to_all(C)
    play.arrive(0, lost=False)
    play.arrive(0, lost=False)


# XS-03, XS-05, XS-06, WD-05
@pytest.mark.parametrize(
    "story",
    [
        a_withdrawal_goes_round,
        a_grant_comes_after_it_was_taken_back,
        a_grant_comes_again,
        an_old_answer_is_carried,
        a_token_lies_about,
        two_answers_are_of_one_second,
        an_old_answer_was_changed_last,
        a_refusal_is_repeated_where_it_came_from_another_site,
        what_is_brought_meets_what_is_newer_elsewhere,
        a_hand_off_that_is_refused_links_nothing,
        a_choice_is_used_everywhere_over_newer_ones,
        a_refusal_is_used_everywhere_and_links_are_under_way,
    ],
)
def test_what_chance_seldom_plays_comes_out_as_the_model_says(
    story: Callable[[GroupOverTime], None],
) -> None:
    play = GroupOverTime()
    play.open_the_sites()
    try:
        story(play)
        play.nothing_is_granted_that_was_not_given()
        play.settled()
    finally:
        play.teardown()
