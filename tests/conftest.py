"""What all tests share: a clock to move, a policy, a ledger's place, real servers and a real browser."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.servers import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from consentkit import Ledger, Policy
    from tests.support.family import Family
    from tests.support.front import Front
    from tests.support.postgres import Server

HERE = Path(__file__).parent

# A busy machine is not a failure. On an integration server the same examples are tried each time.
settings.register_profile(
    "house",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


class Clock:
    """Seconds since the epoch that move only when told."""

    def __init__(self, start: datetime) -> None:
        self.seconds = start.timestamp()

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float = 0, *, days: float = 0) -> None:
        """Move the clock, backwards too."""
        self.seconds += seconds + days * 86_400

    def set(self, moment: datetime) -> None:
        """Put the clock at a moment, given with its time zone."""
        self.seconds = moment.timestamp()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the ledger's answers longer than a visitor would: a busy machine is not a failure."""
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 30.0)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at noon of 31 August 2026, UTC: six months later the month is too short."""
    return Clock(datetime(2026, 8, 31, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def policy() -> "Policy":
    """The policy of the format's example."""
    from consentkit import load_policy

    return load_policy(HERE / "consent.example.toml")


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """The address of a SQLite ledger that does not exist yet."""
    return f"sqlite:///{tmp_path / 'consent.db'}"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator["Ledger"]:
    """A SQLite ledger, which waits for others long enough on a busy machine."""
    from consentkit import Ledger

    ledger = Ledger(ledger_url, lock_timeout=2)
    yield ledger
    ledger.close()


@pytest.fixture
def family(ledger: "Ledger", clock: "Clock") -> Iterator["Family"]:
    """The sites of a group over one ledger, between which visitors take their choice along."""
    from tests.support.family import a_family

    with a_family(ledger, clock) as family:
        yield family


@pytest.fixture(scope="session")
def postgres() -> Iterator["Server"]:
    """A real PostgreSQL server, started once for all modules."""
    from tests.support.postgres import running_server

    with running_server() as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """`serve(app)` runs uvicorn on a free port until the test ends, and returns the base address."""
    with ExitStack() as running:
        yield lambda app, **options: running.enter_context(serving(app, **options))


# Playwright's synchronous interface keeps an event loop running on the thread that started it. It therefore
# lives no longer than one module: in others, whatever looks for a running loop must find none.
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A headless Chromium; the tests of one module share it, each in contexts of its own."""
    from tests.support.browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def new_page(chromium: "Browser") -> Iterator[Callable[..., "Page"]]:
    """`new_page(javascript=False, ...)` opens a page with empty storage; options go to its context."""
    with ExitStack() as contexts:

        def open_page(*, javascript: bool = True, **options: Any) -> "Page":
            context = chromium.new_context(java_script_enabled=javascript, **options)
            contexts.callback(context.close)
            context.set_default_timeout(15_000)
            return context.new_page()

        yield open_page


@pytest.fixture
def page(new_page: Callable[..., "Page"]) -> "Page":
    """A page with JavaScript."""
    return new_page()


@pytest.fixture
def plain_page(new_page: Callable[..., "Page"]) -> "Page":
    """A page without JavaScript."""
    return new_page(javascript=False)


@pytest.fixture
def make_front(clock: Clock) -> Iterator[Callable[..., "Front"]]:
    """`make_front(policy, ...)` prepares the site of the example, with a ledger in memory; options go to its manager."""
    from tests.support.front import fronting

    with ExitStack() as fronts:
        yield lambda policy=None, **options: fronts.enter_context(fronting(clock, policy, **options))


@pytest.fixture
def front(make_front: Callable[..., "Front"]) -> "Front":
    """The site of the example, with a ledger of its own, in memory."""
    return make_front()
