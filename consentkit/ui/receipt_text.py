"""The receipt of a grant as rows, in the visitor's language, from which its page is rendered.

The rows have the words of the notice that the record names, which the site may have replaced since.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from markupsafe import Markup, escape

from consentkit.policy import Duration, Right, TransferData
from consentkit.proof import Grant, Part, receipt_id
from consentkit.ui.disclosure import KINDS, SAFEGUARD_WORDS, Row
from consentkit.ui.i18n import Translator, direction
from consentkit.ui.legal_words import RIGHTS

__all__ = ["receipt_rows", "without_answer"]


def receipt_rows(grant: Grant, language: str, translator: Translator, transfer_data: TransferData) -> Row:
    """Return the receipt of a grant.

    The keys are `number`, `record`, `reference`, `site`, `notice`, `given_at` and `expires_at` (each a Row with `date` and
    `time`, or None), `parts`, `controllers` and `rights`.

    Args:
        grant: as the ledger proves it.
        language: a language of the policy, for the owner's words.
        translator: for the library's words.
        transfer_data: the countries of the EEA.
    """
    words = _Words(grant, language, translator, transfer_data)
    record, notice = grant.record, grant.notice
    sites = {site["id"]: site["name"] for site in notice["sites"]}
    return {
        "number": receipt_id(record.id),
        "record": record.id,
        "reference": record.subject,
        "notice": record.notice,
        "site": sites.get(record.site, record.site),
        "given_at": words.moment(record.decided_at),
        "expires_at": None if record.expires_at is None else words.moment(record.expires_at),
        "parts": [words.part(part, grant) for part in grant.parts],
        "controllers": [words.controller(row) for _, row in grant.controllers],
        "rights": [translator.gettext(RIGHTS[right][1]) for right in _rights(notice)],
    }


def without_answer(rows: Row) -> Row:
    """Return rows without what belongs to one visitor: the numbers, the times and what was allowed."""
    moment = {"iso": "{time}", "date": "{date}", "time": "{time}"}
    return rows | {
        "number": "{number}",
        "record": "{record}",
        "reference": "{reference}",
        "given_at": moment,
        "expires_at": rows["expires_at"] and moment,
        "parts": [],
    }


def _rights(notice: Mapping[str, Any]) -> tuple[Right, ...]:
    listed = notice.get("rights")
    return tuple(right for right in get_args(Right) if listed is None or right in listed)


class _Words:
    """The words of one receipt."""

    def __init__(
        self, grant: Grant, language: str, translator: Translator, transfer_data: TransferData
    ) -> None:
        self._decided_at = grant.record.decided_at
        self._language = language
        self._translator = translator
        self._transfer_data = transfer_data

    def moment(self, seconds: int) -> Row:
        """Return a time in UTC."""
        moment = datetime.fromtimestamp(seconds, UTC)
        return {
            "iso": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "date": self._translator.format_date(moment),
            "time": moment.strftime("%H:%M"),
        }

    def part(self, part: Part, grant: Grant) -> Row:
        """Return a part. `since` is None if it is as old as the decision, and `is_rest` if third parties have other answers."""
        others = (each for each in grant.parts if each.category["id"] == part.category["id"])
        return {
            "is_given": part.is_given,
            "is_invalidated": part.state == "invalidated",
            "has_own": part.has_own,
            "is_rest": part.has_own and any(each.is_given for each in others),
            "title": self._text(part.category["title"]),
            "description": self._text(part.category["description"]),
            "retention_words": self._lifetime(part.category.get("retention")) if part.has_own else None,
            "since": None if part.at == self._decided_at else self.moment(part.at),
            "vendors": [self._vendor(row) for row in part.vendors],
            "trackers": [self._tracker(row) for row in part.trackers],
        }

    def controller(self, row: Mapping[str, Any]) -> Row:
        """Return a controller, with its authority."""
        return {
            "name": row["name"],
            "address": row["address"],
            "country_name": self._translator.country_name(row["country"]),
            "email": row["email"],
            "dpo": row.get("dpo"),
            "authority": row.get("authority"),
        }

    def _vendor(self, row: Mapping[str, Any]) -> Row:
        safeguard = row.get("safeguard", "none_required")
        words = SAFEGUARD_WORDS.get(safeguard) if safeguard != "none_required" else None
        return {
            "name": row["name"],
            "legal_entity": row.get("legal_entity"),
            "country_name": self._translator.country_name(row["country"]),
            "outside_eea": not self._transfer_data.in_eea(row["country"]),
            "safeguard_words": words and self._translator.pgettext("transfer safeguard", words),
            "profiling": row.get("profiling", False),
            "retention_words": self._lifetime(row.get("retention")),
            "policy_url": row["policy_url"],
        }

    def _tracker(self, row: Mapping[str, Any]) -> Row:
        return {
            "name": row["name"],
            "kind_words": self._translator.pgettext("kind of item", KINDS.get(row["kind"], row["kind"])),
            "lifetime_words": self._lifetime(row["lifetime"]),
        }

    def _lifetime(self, written: str | None) -> str | None:
        if written is None:
            return None
        duration = written if written == "session" else Duration.parse(written)
        return self._translator.format_lifetime(duration)

    def _text(self, texts: Mapping[str, str]) -> Markup:
        """Escape a text of the owner. It gets its own `lang` if the page has another one."""
        found = self._language if self._language in texts else next(iter(texts))
        if self._translator.is_same_language(found):
            return escape(texts[found])
        return Markup('<span lang="{}" dir="{}">{}</span>').format(found, direction(found), texts[found])
