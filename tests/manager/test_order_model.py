"""A model of the order of consent: whatever is delayed, repeated, cut or killed, what was taken back stays taken back.

The machine drives the real library, as its web layer does, and compares it with what visitors were told
(`tests.support.order`). `make soak` runs it longer.
"""

import hashlib
import itertools
import os
import shutil
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import Engine

from consentkit import Ledger
from consentkit.ledger.engines import make_engine
from tests.support.order import CATEGORIES, Cookie, Submission, UnderWay, Worker, World, empty
from tests.support.postgres import Server

EXAMPLES = int(os.environ.get("EXAMPLES", "2000"))
"""Examples on SQLite. On PostgreSQL a twentieth of them is played."""
PARTS = 8
PROGRESS = Path(".artifacts") / "order-model"
"""Files that say how far a long run is."""
STEPS = 12

A, B = "stride", "trailhead"
SITES = (A, A, B, A, B)
SKEWS = (0, 0, 0, -90, -61, -2, -1, 1, 2, 59, 61, 90)
ARRIVALS = ("now", "now", "now", "late", "lost")
KINDS = ("accept", "save", "change", "change", "withdraw", "withdraw", "withdraw_category", "reject")

# Not integers, for which Hypothesis draws constants of the modules that happen to be imported: other examples in each run.
number = st.sampled_from(range(8))
visitors = st.sampled_from([0, 0, 0, 1])
# More often than not the browser's own cookie, and one of the first two workers.
places = st.sampled_from([0, 0, 1, 1, 1, 2, 2, 3, 4])
which = st.sampled_from([0, 0, 0, 1, 2, 3])
answers = st.dictionaries(
    st.sampled_from([*CATEGORIES, *CATEGORIES, "~youtube", "~adhub"]), st.booleans(), min_size=1, max_size=3
)


class Order(RuleBasedStateMachine):
    """Visitors with browsers, an attacker with their old cookies, and workers that fail."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        Order.numbers = itertools.count()
        self.folder = Path(tempfile.mkdtemp(dir=self.base))
        empty(self.engine)
        self.world = World(self.engine, self.folder)
        self.places: dict[int, Worker] = {}
        self.jars: dict[tuple[int, str], Cookie] = {}
        self.late: list[tuple[int, str, Cookie]] = []
        self.sent: list[Submission] = []
        self.under_way: list[tuple[int, UnderWay]] = []

    base: Path
    part: str
    played: int
    numbers: Iterator[int]

    @initialize(
        skews=st.just((0,) * len(SITES)) | st.tuples(*[st.sampled_from(SKEWS)] * len(SITES)),
        shares=st.booleans(),
        loses=st.sampled_from([False, False, False, True]),
        answers=answers,
        linked=st.booleans(),
    )
    def begin(
        self, skews: tuple[int, ...], shares: bool, loses: bool, answers: dict[str, bool], linked: bool
    ) -> None:
        """Begin with a visitor who answered on one site, and perhaps went on to the other."""
        self.skews, self.shares, self.loses = skews, shares, loses
        first = Submission("accept" if len(answers) < 3 else "save", answers, "")
        self.keep(0, A, self.world.answer(self.worker(0), None, first), "now")
        if linked:
            self.nothing_comes_back()
            self.follow_link(0, 0, 0, 0, True, "now")

    # Workers start when they are first needed.

    def worker(self, place: int) -> Worker:
        place %= len(SITES)
        if place not in self.places:
            folder = self.folder / (SITES[place] if self.shares else str(place))
            self.places[place] = Worker(self.world, SITES[place], folder, self.skews[place])
            self.world.workers.append(self.places[place])
        return self.places[place]

    def of_site(self, site: str, place: int) -> Worker:
        places = [place for place, name in enumerate(SITES) if name == site]
        return self.worker(places[place % len(places)])

    def cookie(self, visitor: int, site: str, which: int) -> Cookie | None:
        """Return the browser's own cookie for 0, otherwise one that was sent before, the first for 1."""
        old = self.world.of_site(site)
        if not which or not old:
            return self.jars.get((visitor, site))
        return old[(which - 1) % len(old)]

    def keep(self, visitor: int, site: str, cookie: Cookie | None, arrival: str) -> None:
        if cookie is None or arrival == "lost":
            return
        if arrival == "late":
            self.late.append((visitor, site, cookie))
        else:
            self.jars[visitor, site] = cookie

    # Visitors

    @rule(
        visitor=visitors,
        place=places,
        which=which,
        kind=st.sampled_from(KINDS),
        answers=answers,
        form=st.booleans(),
        away=st.sampled_from([False, False, True]),
        arrival=st.sampled_from(ARRIVALS),
    )
    def answer(
        self,
        visitor: int,
        place: int,
        which: int,
        kind: str,
        answers: dict[str, bool],
        form: bool,
        away: bool,
        arrival: str,
    ) -> None:
        """Answer, perhaps while the ledger is away for this one request."""
        worker = self.worker(place)
        if kind == "withdraw_category":
            answers = {next((name for name in answers if name in CATEGORIES), "social"): False}
        cookie = self.cookie(visitor, worker.site, which)
        choice = Submission(kind, answers, f"{len(self.sent)}" if form else "", cookie, worker.site)
        if form:
            self.sent.append(choice)
        cut = worker.ledger.cut
        worker.connect("all" if away else cut)
        self.keep(visitor, worker.site, self.world.answer(worker, cookie, choice), arrival)
        worker.connect(cut)

    @rule(
        place=st.sampled_from([2, 2, 4]),
        kind=st.sampled_from(["save", "change", "withdraw", "withdraw_category"]),
        answers=answers,
        away=st.booleans(),
    )
    def answer_on_other_site(self, place: int, kind: str, answers: dict[str, bool], away: bool) -> None:
        self.answer(0, place, 0, kind, answers, False, away, "now")

    @rule(
        kind=st.sampled_from(["change", "withdraw", "withdraw_category"]), answers=answers, elsewhere=answers
    )
    def answer_on_both_sites(self, kind: str, answers: dict[str, bool], elsewhere: dict[str, bool]) -> None:
        """Answer while the ledger is away, and fully on the other site before the first answer is delivered."""
        self.answer(0, 0, 0, kind, answers, False, True, "now")
        self.wait(2)
        self.nothing_comes_back()
        self.answer(0, 2, 0, "save", elsewhere, False, False, "now")
        self.nothing_comes_back()
        self.deliver(0)

    @rule(
        kinds=st.tuples(*[st.sampled_from(["save", "change", "withdraw_category"])] * 2),
        first=answers,
        second=answers,
        away=st.sampled_from([0, 0, 1, 2]),
    )
    def answer_in_two_tabs(
        self, kinds: tuple[str, str], first: dict[str, bool], second: dict[str, bool], away: int
    ) -> None:
        """Answer twice with one cookie, at two workers, of which one may have no ledger for the moment."""
        self.answer(0, 0, 0, kinds[0], first, False, away != 1, "lost")
        # The second answer builds on the first one if that is in the ledger.
        self.nothing_comes_back()
        self.answer(0, 1, 0, kinds[1], second, False, away == 2, "now")

    @rule(visitor=visitors, place=places, which=number, arrival=st.sampled_from(ARRIVALS))
    def send_again(self, visitor: int, place: int, which: int, arrival: str) -> None:
        if not self.sent:
            return
        choice = self.sent[-1 - which % len(self.sent)]
        worker = self.of_site(choice.site, place)
        first = choice.answer
        had = first is not None and first.stored_at is not None
        count = len(self.world.records)
        # An answer brings along what waits about its pseudonym.
        waits = any(
            choice.sent is not None and record.subject == choice.sent.subject
            for each in self.places.values()
            for record in each.waiting()
        )
        cookie = self.world.answer(worker, choice.sent, choice)
        self.world.look_into_ledger()
        if had and first is not None:
            # And the end of the pseudonym, if a restored ledger lacks that.
            added = self.world.records[count:]
            is_end = self.world.was_restored and all(record.ends_subject for record in added)
            assert waits or is_end or not added, "a repeated submission adds a record"
            # Two processes that did not know of each other may have answered it, each with a pseudonym.
            subjects = {record.subject for record in self.world.records if record.id == first.record_id}
            if choice.sent is not None and self.world.was_restored:
                # A process that cannot reach the ledger still uses the pseudonym that the restored copy lacks.
                subjects.add(choice.sent.subject)
            assert cookie is None or cookie.subject in {"", first.subject, *subjects}, (
                "a repeated submission adds a pseudonym"
            )
        self.keep(visitor, choice.site, cookie, arrival)

    @rule(visitor=visitors, place=places, which=which, more=which, arrival=st.sampled_from(ARRIVALS))
    def visit(self, visitor: int, place: int, which: int, more: int, arrival: str) -> None:
        worker = self.worker(place)
        cookies = [
            cookie for n in {which, more} if (cookie := self.cookie(visitor, worker.site, n)) is not None
        ]
        if cookies:
            self.keep(visitor, worker.site, self.world.visit(worker, *cookies), arrival)

    @rule(which=number)
    def arrive_late(self, which: int) -> None:
        if not self.late:
            return
        visitor, site, cookie = self.late.pop(which % len(self.late))
        self.jars[visitor, site] = cookie

    @rule(place=places, which=number)
    def write_to_customer_service(self, place: int, which: int) -> None:
        if not self.world.cookies:
            return
        cookie = self.world.cookies[-1 - which % len(self.world.cookies)]
        self.world.serve_customer(self.worker(place), cookie.subject)

    @rule(
        visitor=visitors,
        place=places,
        other=places,
        which=which,
        at_once=st.booleans(),
        arrival=st.sampled_from(ARRIVALS),
    )
    def follow_link(
        self, visitor: int, place: int, other: int, which: int, at_once: bool, arrival: str
    ) -> None:
        issuer = self.worker(place)
        asking = self.of_site(B if issuer.site == A else A, other)
        cookie = self.cookie(visitor, issuer.site, which)
        if cookie is None or not cookie.subject:
            return
        under_way = self.world.issue(issuer, cookie, asking)
        if under_way is None:
            return
        if not at_once:
            self.under_way.append((visitor, under_way))
            return
        own = self.jars.get((visitor, asking.site))
        self.keep(visitor, asking.site, self.world.arrive(asking, under_way, own), arrival)

    @rule(which=number, place=places, arrival=st.sampled_from(ARRIVALS))
    def arrive(self, which: int, place: int, arrival: str) -> None:
        if not self.under_way:
            return
        visitor, under_way = self.under_way[which % len(self.under_way)]
        worker = self.of_site(under_way.site, place)
        own = self.jars.get((visitor, worker.site))
        self.keep(visitor, worker.site, self.world.arrive(worker, under_way, own), arrival)

    # What fails

    @rule(place=places, cut=st.sampled_from(["all", "all", "writes", ""]))
    def cut(self, place: int, cut: str) -> None:
        worker = self.worker(place)
        worker.connect(cut if cut != worker.ledger.cut else "")

    @rule(place=places)
    def deliver(self, place: int) -> None:
        self.worker(place).deliver()

    @rule(place=places, after_delivery=st.booleans())
    def kill(self, place: int, after_delivery: bool) -> None:
        worker = self.worker(place)
        self.world.was_killed = self.world.was_killed or after_delivery
        cut = worker.ledger.cut
        worker.stop(after_delivery=after_delivery)
        worker.start()
        worker.connect(cut)

    @rule()
    def ask(self) -> None:
        """Let every worker deliver and ask for the cookies of its site, as far as it can reach the ledger."""
        self.world.ask()

    @rule(seconds=st.sampled_from([1, 1, 2, 6, 30, 61, 61, 3601]))
    def wait(self, seconds: int) -> None:
        self.world.now += seconds

    @precondition(lambda self: self.loses)
    @rule()
    def keep_copy(self) -> None:
        self.world.keep_copy()

    @precondition(lambda self: self.loses)
    @rule()
    def restore_copy(self) -> None:
        self.world.restore_copy()

    # What holds

    @invariant()
    def nothing_comes_back(self) -> None:
        self.world.look_into_ledger()
        self.world.step += 1
        for worker in self.places.values():
            for cookie in self.world.of_site(worker.site):
                worker.check(cookie)

    def teardown(self) -> None:
        self.note_progress()
        try:
            self.world.settle()
        finally:
            self.world.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def note_progress(cls) -> None:
        """Write how many examples were played, when there are so many that somebody waits for hours."""
        cls.played += 1
        if EXAMPLES > 2000 and cls.played % 100 == 0:
            PROGRESS.mkdir(parents=True, exist_ok=True)
            (PROGRESS / cls.part).write_text(f"{cls.played} examples, {time.process_time():.0f} s of CPU\n")


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the same pseudonyms and ids in each attempt, so that a failure can be made smaller and repeated."""

    def text(octets: int) -> str:
        digest = hashlib.sha256(str(next(Order.numbers)).encode()).digest()
        return urlsafe_b64encode(digest[:octets]).rstrip(b"=").decode()

    def number() -> uuid.UUID:
        digest = hashlib.sha256(str(next(Order.numbers)).encode()).digest()
        return uuid.UUID(bytes=digest[:16], version=4)

    monkeypatch.setattr("consentkit.manager.lookup_queue.FIRST_PAUSE", 0.01, raising=False)
    monkeypatch.setattr("consentkit.manager.lookup_queue.LONGEST_PAUSE", 0.01, raising=False)
    # On a busy machine, a look-up that takes longer than a page waits would not count for the process that made it.
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 5.0)
    monkeypatch.setattr("secrets.token_urlsafe", text)
    monkeypatch.setattr("uuid.uuid4", number)


def run(engine: Engine, folder: Path, *, examples: int, part: int = 0) -> None:
    ledger = Ledger(engine)
    list(ledger.records())
    ledger.close()
    machine = type(
        "Order", (Order,), {"engine": engine, "base": folder, "part": f"{engine.name} {part}", "played": 0}
    )
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        # Where nobody waits for it, a failure is reported as it was found: to make it smaller takes minutes.
        phases=[Phase.generate] if os.environ.get("CI") else list(Phase),
        suppress_health_check=list(HealthCheck),
    )
    play = get_state_machine_test(machine, settings=chosen)
    # Where examples are the same each time, each part has others.
    (seed(part)(play) if chosen.derandomize else play)()


@pytest.mark.no_cover  # Tracing would double the time, and the examples cover the same lines.
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_taken_back_stays_taken_back_on_sqlite(part: int, tmp_path: Path) -> None:
    engine = make_engine("sqlite://", 30)
    run(engine, tmp_path, examples=max(EXAMPLES // PARTS, 1), part=part)
    engine.dispose()


@pytest.mark.no_cover  # Tracing would double the time, and the examples cover the same lines.
@pytest.mark.timeout(36_000)
def test_what_was_taken_back_stays_taken_back_on_postgresql(postgres: Server, tmp_path: Path) -> None:
    engine = make_engine(postgres.address(), 30)
    run(engine, tmp_path, examples=max(EXAMPLES // 20, 1))
    engine.dispose()
