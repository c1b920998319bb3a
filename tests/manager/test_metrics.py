"""Metrics, read as an exporter reads them: by the SDK of OpenTelemetry."""

import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from opentelemetry import metrics as opentelemetry
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import Choice
from consentkit.errors import LedgerUnavailableError
from consentkit.manager import ChoiceContext, Webhook, metrics
from consentkit.web import Exchange, RequestHead, SiteServices
from consentkit.web.endpoints import Endpoints
from tests.conftest import HERE, Clock
from tests.support.receiver import SECRET
from tests.support.records import another_process_holds
from tests.support.sites import KEY, managing

EVERYTHING = Choice(categories={"analytical": True, "tracking": True, "social": True}, vendors={})
NOTHING = Choice(categories={"analytical": False, "tracking": False, "social": False}, vendors={})
Points = dict[tuple[str, ...], int]


class Figures:
    """What the reader of a process has collected, as differences from what it had at the start of a test."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader
        self._before = self._all()

    def _all(self) -> dict[tuple[str, ...], int]:
        data: Any = self._reader.get_metrics_data()
        return {
            (metric.name, *map(str, point.attributes.values())): point.value
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }

    def counted(self, name: str) -> Points:
        """Return what a counter has counted in this test, by its attributes."""
        return {
            key[1:]: value - self._before.get(key, 0)
            for key, value in self._all().items()
            if key[0] == f"consentkit.{name}" and value != self._before.get(key, 0)
        }

    def observed(self, name: str) -> Points:
        """Return the values of a gauge now, by its attributes."""
        return {key[1:]: value for key, value in self._all().items() if key[0] == f"consentkit.{name}"}

    def texts(self) -> str:
        return repr(self._all())


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    """A process may set its provider once."""
    reader = InMemoryMetricReader()
    opentelemetry.set_meter_provider(MeterProvider([reader]))
    return reader


@pytest.fixture
def figures(reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch) -> Figures:
    """Figures of the sites that a test makes alone, not of those that others have left behind in this process."""
    monkeypatch.setattr(metrics, "_sites", WeakSet())
    return Figures(reader)


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    ledger = Ledger(ledger_url, lock_timeout=0.3)
    with managing(policy, ledger=ledger, clock=clock) as made:
        yield made
    ledger.close()


def decide(manager: ConsentManager, choice: Choice, surface: Any = "banner") -> Any:
    return manager.decide(manager.evaluator.undecided(), choice, ChoiceContext(surface=surface))


def test_decisions_are_counted_by_event_and_surface(figures: Figures, manager: ConsentManager) -> None:
    given = decide(manager, EVERYTHING)
    manager.decide(given.consent, EVERYTHING, ChoiceContext(surface="preferences"))
    manager.withdraw(given.consent, None, ChoiceContext(surface="policy"))
    decide(manager, NOTHING)
    decide(manager, NOTHING)
    manager.recorder.loaded_once("youtube", ChoiceContext(surface="embed", choice="load_once"))
    assert figures.counted("decisions") == {
        ("stride", "given", "banner"): 1,
        ("stride", "withdrawn", "policy"): 1,
        ("stride", "refused", "banner"): 2,
        ("stride", "loaded_once", "embed"): 1,
    }
    assert given.record.subject not in figures.texts() and given.record.id not in figures.texts()


def test_refusals_that_are_only_counted_are_decisions_too(
    figures: Figures, manager: ConsentManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager.recorder._anonymous, "take", lambda: False)
    decide(manager, NOTHING)
    manager.recorder.loaded_once("youtube", ChoiceContext(surface="embed"))
    assert figures.counted("decisions") == {
        ("stride", "refused", "banner"): 1,
        ("stride", "loaded_once", "embed"): 1,
    }


def test_decision_without_a_ledger_is_counted(figures: Figures, policy: Policy, clock: Clock) -> None:
    with pytest.warns(UserWarning), managing(policy, ledger=None, clock=clock) as manager:
        decide(manager, EVERYTHING)
        assert figures.counted("decisions") == {("stride", "given", "banner"): 1}
        assert figures.observed("ledger.up") == {}


def test_outage_shows_in_refusals_in_what_waits_and_in_the_ledgers_state(
    figures: Figures, manager: ConsentManager, ledger_url: str
) -> None:
    given = decide(manager, EVERYTHING)
    assert figures.observed("ledger.up") == {("stride",): 1}
    with another_process_holds(ledger_url):
        with pytest.raises(LedgerUnavailableError):
            decide(manager, EVERYTHING)
        manager.withdraw(given.consent, None, ChoiceContext())
        assert figures.counted("refused") == {("stride",): 1}
        assert figures.observed("records.waiting") == {("stride",): 1}
        assert figures.observed("ledger.up") == {("stride",): 0}
    assert figures.counted("decisions")[("stride", "withdrawn", "api")] == 1


def test_decision_that_found_no_thread_is_a_refusal(figures: Figures, manager: ConsentManager) -> None:
    services = SiteServices(manager)
    exchange = Exchange(services, RequestHead("POST", "/consent/decision", []))
    assert Endpoints(services).busy(exchange).status == 503
    assert figures.counted("refused") == {("stride",): 1}


def test_lookups_are_counted(figures: Figures, manager: ConsentManager, clock: Clock) -> None:
    manager.revocations.refresh("a-pseudonym", clock(), 30)
    assert figures.counted("lookups") == {("stride",): 1}


def test_messages_to_webhooks_are_observed_by_state(figures: Figures, policy: Policy, clock: Clock) -> None:
    webhook = Webhook("http://127.0.0.1:9/hooks", SECRET, vendors=["youtube"])
    with managing(policy, ledger="sqlite://", clock=clock, webhooks=[webhook]) as manager:
        assert figures.observed("webhooks.messages") == {}
        manager.withdraw(decide(manager, EVERYTHING).consent, None, ChoiceContext())
        sender = manager._parts.webhooks.sender
        assert sender is not None and sender.flush(30)
        assert figures.observed("webhooks.messages") == {("stride", "waiting"): 1, ("stride", "dead"): 0}
    assert figures.observed("webhooks.messages") == {}, "the manager is closed"


def test_manager_that_is_gone_is_observed_no_more(figures: Figures, policy: Policy, clock: Clock) -> None:
    manager = ConsentManager(policy, secret_key=KEY, site="stride", ledger="sqlite://", clock=clock)
    decide(manager, EVERYTHING)
    metrics = manager.metrics
    assert metrics.figures()
    del manager
    gc.collect()
    assert not metrics.figures() and figures.observed("ledger.up") == {}


def test_every_metric_is_documented() -> None:
    page = (HERE.parent / "docs/how-to/metrics.md").read_text("utf-8")
    code = (HERE.parent / "consentkit/manager/metrics.py").read_text("utf-8")
    made = set(re.findall(r'\(\s*"(consentkit\.[a-z.]+)"', code))
    assert len(made) == 6
    assert set(re.findall(r"^\| `(consentkit\.[a-z.]+)`", page, re.M)) == made


WITHOUT_OPENTELEMETRY = """
import sys
from consentkit import ConsentManager, load_policy
from consentkit.consent import Choice
from consentkit.manager import ChoiceContext
manager = ConsentManager(load_policy(sys.argv[1]), secret_key=sys.argv[2], site="stride", ledger="sqlite://")
choice = Choice(categories={"social": True}, vendors={})
manager.decide(manager.evaluator.undecided(), choice, ChoiceContext())
manager.metrics.refused()
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""


def test_nothing_is_imported_for_sites_that_do_not_use_opentelemetry(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_OPENTELEMETRY, str(HERE / "consent.example.toml"), KEY]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0
