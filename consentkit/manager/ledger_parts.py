"""The parts of a manager that depend on the ledger, which the managers of all regimes of a site share."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Engine

from consentkit.consent import Evaluator
from consentkit.ledger import Ledger
from consentkit.manager.delivery import Delivery
from consentkit.manager.listeners import Listeners
from consentkit.manager.metrics import SiteMetrics
from consentkit.manager.newest import newest_of
from consentkit.manager.no_revocations import NoRevocations
from consentkit.manager.renderings import RenderingStore
from consentkit.manager.revocations import RevocationCache
from consentkit.manager.upkeep import RecordUpkeep
from consentkit.manager.webhook_delivery import WebhookDelivery
from consentkit.manager.webhooks import Webhook
from consentkit.policy import Policy

__all__ = ["LedgerParts", "ledger_parts", "run_steps"]

_NO_LEDGER = "ConsentManager has no ledger, so no consent can be proved to an authority: give a database URL."


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerParts:
    """What reads, writes and follows the ledger of one site.

    Attributes:
        ledger: the store of records, or None.
        own_ledger: the same if it is closed together with these parts.
        renderings: stores the words that visitors were shown.
        webhooks: tells the endpoints of withdrawals and changes.
        listeners: the functions that are called with each change.
        metrics: of the site.
        revocations: the newest records of the visitors that this process has seen.
        delivery: delivers the records that wait; None without a ledger.
        upkeep: removes records that are kept no longer; None without a ledger.
    """

    ledger: Ledger | None
    renderings: RenderingStore
    webhooks: WebhookDelivery
    metrics: SiteMetrics
    listeners: Listeners = field(default_factory=Listeners)
    revocations: RevocationCache | NoRevocations = field(default_factory=NoRevocations)
    delivery: Delivery | None = None
    upkeep: RecordUpkeep | None = None
    own_ledger: Ledger | None = None

    @property
    def closing(self) -> tuple[Callable[[], None], ...]:
        """What has to run when the manager is closed, in this order."""
        parts = (self.delivery, self.webhooks, self.revocations, self.upkeep, self.own_ledger)
        return (self.renderings.close, *(part.close for part in parts if part is not None))


def ledger_parts(
    policy: Policy,
    evaluator: Evaluator,
    ledger: Ledger | str | URL | Engine | None,
    webhooks: Sequence[Webhook],
    *,
    recheck: float,
    max_stale: float,
    spool: str | Path | None,
    prune: bool,
    clock: Callable[[], float],
) -> LedgerParts:
    """Create the parts. Nothing connects or starts a thread. A ledger that was given as an object is not closed."""
    site, own = evaluator.site.id, not isinstance(ledger, Ledger)
    store = ledger if isinstance(ledger, Ledger) or ledger is None else Ledger(ledger)
    parts = LedgerParts(
        ledger=store,
        renderings=RenderingStore(store, site),
        webhooks=WebhookDelivery(webhooks, evaluator, store, clock=clock),
        metrics=SiteMetrics(site),
    )
    if store is None:
        warnings.warn(_NO_LEDGER, stacklevel=4)
        return parts
    delivery = Delivery(store, evaluator, parts.listeners, parts.webhooks, clock=clock, spool=spool)
    upkeep = RecordUpkeep(store, policy, site, prunes=prune, clock=clock)
    steps = (delivery.before_poll, parts.renderings.store_waiting, parts.webhooks.look, parts.metrics.begin)
    revocations = RevocationCache(
        store,
        recheck=recheck,
        max_stale=max_stale,
        fold=lambda records: newest_of(records, evaluator),
        clock=clock,
        before_poll=partial(run_steps, *steps),
        waiting_elsewhere=delivery.waiting_elsewhere,
        is_writable=store.is_writable,
        # The first use of a database is no change of databases.
        epoch=lambda: max(1, store.epoch),
        after_poll=upkeep,
    )
    delivery.start(revocations)
    own_ledger = store if own else None
    return replace(parts, revocations=revocations, delivery=delivery, upkeep=upkeep, own_ledger=own_ledger)


def run_steps(*steps: Callable[[], None]) -> None:
    """Run some functions, one after the other."""
    # No method, because neither the thread that polls nor the end of the process may keep a manager alive.
    for step in steps:
        step()
