"""Metrics for OpenTelemetry: how many decisions there are, and whether the ledger keeps up. None has an identifier of a visitor.

They begin once the application has imported `opentelemetry.metrics`, as its set-up of OpenTelemetry does. The library does not
import it first, because FastAPI brings the package to many sites that do not use it.
"""

import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from consentkit._version import __version__
from consentkit.errors import LedgerError
from consentkit.ledger import Record
from consentkit.manager.choice import Outcome

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Counter, Observation

__all__ = ["SiteMetrics", "measured"]

P = ParamSpec("P")
R = TypeVar("R", bound=Outcome | Record)

Figures = weakref.WeakMethod[Callable[[], Mapping[str, Any]]]

_SITE: Final = "consentkit.site"
_UP: Final = {"ok": 1, "unreachable": 0, "damaged": 0}


class SiteMetrics:
    """The metrics of one site's manager."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._figures: Figures | None = None

    def observe(self, figures: "Figures") -> None:
        """Observe what a method of the manager returns, as long as there is the manager."""
        self._figures = figures
        _sites.add(self)
        self.begin()

    def close(self) -> None:
        """Observe nothing more."""
        _sites.discard(self)

    def begin(self) -> None:
        """Offer what is observed to OpenTelemetry, if the application uses it by now."""
        _instruments()

    def decided(self, record: Record) -> None:
        """Count a decision, by its event, and by the surface on which it was made. Both are words of the library's own."""
        instruments = _instruments()
        if instruments is not None:
            attributes = {
                _SITE: self.site,
                "consentkit.event": record.event,
                "consentkit.surface": record.surface,
            }
            instruments.decisions.add(1, attributes)

    def refused(self) -> None:
        """Count a decision that was answered with 503, because it could not be recorded."""
        instruments = _instruments()
        if instruments is not None:
            instruments.refused.add(1, {_SITE: self.site})

    def figures(self) -> Mapping[str, Any]:
        """Return the manager's figures; none if it is gone."""
        figures = self._figures() if self._figures is not None else None
        return figures() if figures is not None else {}


class _Measured(Protocol):
    metrics: SiteMetrics


M = TypeVar("M", bound=_Measured)


def measured(decide: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
    """Count what a method of the recorder records, and what the ledger refuses."""

    @wraps(decide)
    def counted(self: M, /, *arguments: P.args, **options: P.kwargs) -> R:
        try:
            result = decide(self, *arguments, **options)
        except LedgerError:
            self.metrics.refused()
            raise
        record = result if isinstance(result, Record) else result.record
        if record is not None:
            self.metrics.decided(record)
        return result

    return counted


class _Instruments:
    """The instruments of this process, which all its managers share."""

    def __init__(self, opentelemetry: Any) -> None:
        self._observation: type[Observation] = opentelemetry.Observation
        meter = opentelemetry.get_meter("consentkit", __version__)
        self.decisions: Counter = meter.create_counter(
            "consentkit.decisions", "{decision}", "Decisions that visitors made."
        )
        self.refused: Counter = meter.create_counter(
            "consentkit.refused",
            "{decision}",
            "Decisions that could not be recorded, and were answered with 503.",
        )
        meter.create_observable_counter(
            "consentkit.lookups",
            [partial(self._observed, _lookups)],
            "{visitor}",
            "Visitors looked up in the ledger.",
        )
        meter.create_observable_gauge(
            "consentkit.ledger.up",
            [partial(self._observed, _ledger)],
            "1",
            "Whether the ledger answers: 1 or 0.",
        )
        meter.create_observable_gauge(
            "consentkit.records.waiting",
            [partial(self._observed, _records)],
            "{record}",
            "Records that wait for the ledger.",
        )
        meter.create_observable_gauge(
            "consentkit.webhooks.messages",
            [partial(self._observed, _messages)],
            "{message}",
            "Messages to webhooks that wait or were given up.",
        )

    def _observed(
        self,
        values: Callable[[Mapping[str, Any]], Iterator[tuple[int, dict[str, str]]]],
        _options: "CallbackOptions",
    ) -> "Iterator[Observation]":
        for site in list(_sites):
            figures = site.figures()
            for value, attributes in values(figures) if figures else ():
                yield self._observation(value, {_SITE: site.site, **attributes})


Values = Iterator[tuple[int, dict[str, str]]]


def _lookups(figures: Mapping[str, Any]) -> Values:
    yield figures["looked_up"], {}


def _ledger(figures: Mapping[str, Any]) -> Values:
    if figures["ledger"] in _UP:
        yield _UP[figures["ledger"]], {}


def _records(figures: Mapping[str, Any]) -> Values:
    yield figures["waiting"], {}


def _messages(figures: Mapping[str, Any]) -> Values:
    for state, number in (figures["webhooks"] or {}).items():
        yield number, {"consentkit.state": state}


_sites: Final = weakref.WeakSet[SiteMetrics]()
_lock: Final = threading.Lock()
_made: list[_Instruments] = []


def _instruments() -> _Instruments | None:
    """Return the instruments; None as long as the application does not use OpenTelemetry."""
    if _made:
        return _made[0]
    opentelemetry = sys.modules.get("opentelemetry.metrics")
    # A module that is still being imported has no names yet.
    if opentelemetry is None or not hasattr(opentelemetry, "get_meter"):
        return None
    with _lock:
        _made[:] = _made or [_Instruments(opentelemetry)]
    return _made[0]
