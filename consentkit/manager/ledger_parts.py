"""The parts of a manager that depend on the ledger, which the managers of all regimes of a site share."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerParts:
    """What reads, writes and follows the ledger of one site.

    Attributes:
        ledger: the store of records, or None.
        revocations: the newest records of the visitors that this process has seen.
        delivery: delivers the records that wait; None without a ledger.
        upkeep: removes records that are kept no longer; None without a ledger.
        renderings: stores the words that visitors were shown.
        webhooks: tells the endpoints of withdrawals and changes.
        listeners: the functions that are called with each change.
        metrics: of the site.
        closing: what has to run when the manager is closed, in this order.
    """

    ledger: Ledger | None
    revocations: RevocationCache | NoRevocations
    delivery: Delivery | None
    upkeep: RecordUpkeep | None
    renderings: RenderingStore
    webhooks: WebhookDelivery
    listeners: Listeners
    metrics: SiteMetrics
    closing: tuple[Callable[[], None], ...]


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
    site = evaluator.site.id
    store = ledger if isinstance(ledger, Ledger) or ledger is None else Ledger(ledger)
    own = store if store is not ledger else None
    listeners, metrics = Listeners(), SiteMetrics(site)
    renderings = RenderingStore(store, site)
    messages = WebhookDelivery(webhooks, evaluator, store, clock=clock)
    revocations: RevocationCache | NoRevocations = NoRevocations()
    delivery: Delivery | None = None
    upkeep: RecordUpkeep | None = None
    if store is None:
        warnings.warn(
            "ConsentManager has no ledger, so no consent can be proved to an authority: give a database URL.",
            stacklevel=3,
        )
    else:
        upkeep = RecordUpkeep(store, policy, site, prunes=prune, clock=clock)
        delivery = Delivery(store, evaluator, listeners, messages, clock=clock, spool=spool)
        revocations = RevocationCache(
            store,
            recheck=recheck,
            max_stale=max_stale,
            fold=lambda records: newest_of(records, evaluator),
            clock=clock,
            before_poll=partial(
                run_steps, delivery.before_poll, renderings.store_waiting, messages.look, metrics.begin
            ),
            waiting_elsewhere=delivery.waiting_elsewhere,
            is_writable=store.is_writable,
            # The first use of a database is no change of databases.
            epoch=lambda: max(1, store.epoch),
            after_poll=upkeep,
        )
        delivery.start(revocations)
    closed = [part.close for part in (delivery, messages, revocations, upkeep, own) if part is not None]
    return LedgerParts(
        ledger=store,
        revocations=revocations,
        delivery=delivery,
        upkeep=upkeep,
        renderings=renderings,
        webhooks=messages,
        listeners=listeners,
        metrics=metrics,
        closing=(renderings.close, *closed),
    )


def run_steps(*steps: Callable[[], None]) -> None:
    """Run some functions, one after the other."""
    # No method, because neither the thread that polls nor the end of the process may keep a manager alive.
    for step in steps:
        step()
