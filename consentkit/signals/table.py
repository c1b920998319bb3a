"""The signals of browsers in one table: signal, regime, what follows from it, and how that is recorded.

A signal without a header or script property that browsers send has no effect anywhere. Proposed law is behind flags that are off.
"""

from dataclasses import dataclass
from typing import Literal

from consentkit.policy import Policy, RegimePolicies

__all__ = ["SIGNALS", "FutureLaw", "Signal", "SignalEffect", "signal_effects"]

Effect = Literal["refusal", "opt_out", "none"]
Recorded = Literal["decision_and_count", "nothing"]


@dataclass(frozen=True, slots=True)
class FutureLaw:
    """Rules that are proposed and no law yet (COM(2025) 837). They are off, and nothing reads them but this table.

    Attributes:
        omnibus_88a: consent under Article 88a GDPR. Its rules on asking again are met already.
        browser_signal_88b: choices that browsers send under Article 88b GDPR, for which there is no standard yet.
    """

    omnibus_88a: bool = False
    browser_signal_88b: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that a browser or another client may send about a person's choice.

    Attributes:
        id: in the table and in `consent.json`.
        name: in the words of its source.
        header: the field of a request that carries it; empty if it has none.
        script: the property in which scripts read it; empty if it has none.
        source: the specification.
        is_on: whether anything follows from it.
    """

    id: str
    name: str
    header: str
    script: str
    source: str
    is_on: bool = False


def _signals(law: FutureLaw) -> tuple[Signal, ...]:
    return (
        Signal(
            "gpc",
            "Global Privacy Control",
            "Sec-GPC",
            "navigator.globalPrivacyControl",
            "https://www.w3.org/TR/gpc/",
            is_on=True,
        ),
        # Retired: browsers turned it on for people who had not asked for it, so it is nobody's choice (REQUIREMENTS SG-08).
        Signal("dnt", "Do Not Track", "DNT", "navigator.doNotTrack", "https://www.w3.org/TR/tracking-dnt/"),
        Signal(
            "browser_signal_88b",
            "Choices of the browser (Article 88b GDPR, proposed)",
            "",
            "",
            "https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=CELEX:52025PC0837",
            is_on=law.browser_signal_88b,
        ),
        Signal(
            "ieee_7012",
            "Machine Readable Personal Privacy Terms (IEEE 7012)",
            "",
            "",
            "https://standards.ieee.org/ieee/7012/7192/",
        ),
    )


SIGNALS = _signals(FutureLaw())
"""Every known signal."""


@dataclass(frozen=True, slots=True)
class SignalEffect:
    """What follows from a signal under a regime.

    Attributes:
        signal: that is sent.
        regime: id of the regime that applies to the visitor.
        effect: a no until the visitor chooses (`refusal`), an opt-out of sale and sharing (`opt_out`), or none.
        categories: ids of the categories that the signal turns off.
        over_choice: ids of those that it turns off against an earlier yes too.
        recorded: with each decision that a person makes, and as a count of pages; or not at all.
    """

    signal: Signal
    regime: str
    effect: Effect
    categories: tuple[str, ...]
    over_choice: tuple[str, ...]
    recorded: Recorded


def signal_effects(policy: Policy, law: FutureLaw = FutureLaw()) -> tuple[SignalEffect, ...]:
    """Return the table for a policy: each signal under each of its regimes."""
    policies = RegimePolicies(policy).by_id
    return tuple(
        _effect(signal, regime_id, applied)
        for signal in _signals(law)
        for regime_id, applied in policies.items()
    )


def _effect(signal: Signal, regime_id: str, policy: Policy) -> SignalEffect:
    if not (signal.is_on and (signal.header or signal.script)):
        return SignalEffect(signal, regime_id, "none", (), (), "nothing")
    honoured = tuple(row.id for row in policy.optional if policy.honours_gpc(row.id))
    denied = tuple(category for category in honoured if policy.denies_by_gpc(category))
    effect: Effect = policy.regime.gpc if honoured else "none"
    return SignalEffect(signal, regime_id, effect, honoured, denied, "decision_and_count")
