"""Receipts for tests, and the Data Privacy Vocabulary as it was published."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consentkit.ledger import Record
from consentkit.notices import Notice
from consentkit.proof import grant_of, receipt_of
from tests.support.records import a_record

ADDRESS = "https://stride.example/consent"
NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
_LIST = Path(__file__).parents[1] / "proof/dpv-2.3.txt"

PUBLISHED = frozenset(line for line in _LIST.read_text("utf-8").splitlines() if not line.startswith("#"))
"""All terms in compact form, such as `dpv:ConsentGiven`."""


def a_receipt(notice: Notice, *history: Record, **changes: Any) -> dict[str, Any]:
    """Make the receipt of the last record, or of one with these values."""
    assert notice.content is not None
    records = history or (a_record(notice=notice.digest, **changes),)
    grant = grant_of(records[-1], dict(notice.content), history=records)
    return receipt_of(grant, address=ADDRESS, at=NOON)


def processes(receipt: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the processes of a receipt's record."""
    found: list[dict[str, Any]] = receipt["dpv:hasRecordOfActivity"]["dpv:hasProcess"]
    return found


def states(receipt: dict[str, Any]) -> list[tuple[str, tuple[str, ...], str, str]]:
    """Return purpose, third parties, state and time of each process."""
    return [
        (
            process["dpv:hasPurpose"]["dct:identifier"],
            tuple(
                row["@id"].rpartition("#vendor-")[2] for row in process.get("dpv:hasRecipientThirdParty", ())
            ),
            process["dpv:hasConsentStatus"]["@type"].removeprefix("dpv:"),
            process["dpv:hasConsentStatus"]["dpv:isIndicatedAtTime"],
        )
        for process in processes(receipt)
    ]


def terms(value: Any) -> Iterator[str]:
    """Yield the keys of a document, and those of its texts that are terms of the vocabulary in compact form."""
    prefixes = tuple(f"{prefix}:" for prefix in ("dpv", "eu-gdpr", "loc", "pd", "tech"))
    if isinstance(value, dict):
        for key, member in value.items():
            if key != "@context":
                yield from (key, *terms(member)) if key.startswith(prefixes) else terms(member)
    elif isinstance(value, list):
        for member in value:
            yield from terms(member)
    elif isinstance(value, str) and value.startswith(prefixes):
        yield value
