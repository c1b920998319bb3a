"""Choices that visitors and programs send to the decision address. Ambiguous input is refused and changes nothing."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from consentkit.consent import Choice
from consentkit.errors import InvalidDecisionError
from consentkit.manager import Surface
from consentkit.web.query import RepeatedFieldError, unique_fields

__all__ = ["SubmittedChoice", "read_form", "read_json", "read_query"]

MOST_FIELDS = 1200
_DEEPEST = 8

Word = Annotated[str, Field(max_length=64)]
Choices = Literal["accept_all", "reject_all", "save", "change"]


class SubmittedChoice(BaseModel):
    """A choice as it was sent: answers by id or one of the two buttons, with the circumstances for the record."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    categories: dict[Word, StrictBool] | None = None
    vendors: dict[Word, StrictBool] | None = None
    choice: Choices | None = None
    notice: Word | None = None
    language: Word | None = None
    surface: Surface = "api"
    # Whatever its length: an id that is not known is left out of the record.
    rendering: str | None = None
    submission: Word | None = None
    next: str | None = None

    def as_choice(self) -> Choice:
        """Return the answers for single categories and vendors."""
        return Choice(categories=self.categories or {}, vendors=self.vendors or {})

    @property
    def has_answers(self) -> bool:
        """Whether there are answers for single categories or vendors."""
        return self.categories is not None or self.vendors is not None


def read_json(body: bytes, *, merge: bool) -> SubmittedChoice:
    """Read a choice from a JSON body (RFC 8259, UTF-8).

    Duplicate or unknown keys, NaN, deep nesting and answers other than booleans are refused.

    Args:
        body: as it was sent.
        merge: whether the choice changes a part of the decision, so that it must list the part.

    Raises:
        InvalidDecisionError: the body is refused. The message has the reason, and nothing that was sent.
    """
    try:
        text = body.decode("utf-8")
        if text.translate(_BRACKETS).count("[") > _DEEPEST:
            raise InvalidDecisionError("The body is nested too deeply.")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        answer = SubmittedChoice.model_validate(value)
    except ValidationError as error:
        raise InvalidDecisionError(_reason(error)) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidDecisionError):
            raise
        raise InvalidDecisionError("The body is not valid JSON.") from None
    if answer.next is not None or answer.choice in ("save", "change"):
        raise InvalidDecisionError("`next`, `save` and `change` are for forms.")
    if answer.choice is not None and (merge or answer.has_answers):
        raise InvalidDecisionError("`choice` stands alone: it answers everything.")
    if answer.choice is None and not answer.has_answers:
        raise InvalidDecisionError("The body has neither `categories`, `vendors` nor `choice`.")
    return answer


_BRACKETS = {ord("{"): "["}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidDecisionError("The body names a key twice.")
    return members


def _no_constant(name: str) -> Any:
    raise InvalidDecisionError("The body holds a number that JSON does not know.")


def read_form(body: bytes, *, withdrawal: bool = False) -> tuple[SubmittedChoice, str | None]:
    """Read a choice from a form, and the category if the form withdraws a single category.

    The fields are `choice`, `category.ID`, `vendor.ID`, `next`, `notice`, `language`, `surface`, `rendering` and
    `submission`, each at most once. In a form that saves all choices, an empty `vendor.ID` is the same as none: the vendor
    follows its category. A withdrawal has `category` instead of `choice` and the answers by id.

    Raises:
        InvalidDecisionError: the form is refused. The message has the reason, and nothing that was sent.
    """
    fields = _fields(body)
    category = fields.pop("category", None) if withdrawal else None
    values: dict[str, Any] = {}
    for name, value in fields.items():
        kind, dot, item = name.partition(".")
        if dot and kind in _TABLES and not withdrawal:
            if kind == "vendor" and not value and fields.get("choice") == "save":
                continue
            if value not in ("on", "off"):
                raise InvalidDecisionError("An answer is `on` or `off`.")
            values.setdefault(_TABLES[kind], {})[item] = value == "on"
        elif name in _PLAIN and (name != "choice" or not withdrawal):
            values[name] = value or None
        else:
            raise InvalidDecisionError("The form has a field that does not belong there.")
    if values.get("surface", "api") is None:
        del values["surface"]
    try:
        answer = SubmittedChoice.model_validate(values)
    except ValidationError as error:
        raise InvalidDecisionError(_reason(error)) from None
    if not withdrawal and answer.choice is None:
        raise InvalidDecisionError("The form has no `choice`.")
    if answer.choice in ("accept_all", "reject_all") and answer.has_answers:
        raise InvalidDecisionError("`accept_all` and `reject_all` stand alone: they answer everything.")
    return answer, category


def read_query(query: bytes) -> tuple[SubmittedChoice, str | None]:
    """Read the query of a withdrawal: `category`, and the fields of a form that are not answers, each at most once.

    Raises:
        InvalidDecisionError: there is another field. A misspelt `category` would otherwise withdraw everything.
    """
    return read_form(query, withdrawal=True)


_TABLES: Mapping[str, str] = {"category": "categories", "vendor": "vendors"}
_PLAIN = frozenset({"choice", "next", "notice", "language", "surface", "rendering", "submission"})


def _fields(body: bytes) -> dict[str, str]:
    if body.count(b"&") >= MOST_FIELDS:
        raise InvalidDecisionError("The form has too many fields.")
    try:
        return unique_fields(body, most=MOST_FIELDS, strict=True)
    except RepeatedFieldError:
        raise InvalidDecisionError("The form names a field twice.") from None
    except ValueError:
        raise InvalidDecisionError("The form is not application/x-www-form-urlencoded in UTF-8.") from None


def _reason(error: ValidationError) -> str:
    """Return a message with the invalid key, if it is a key of ours. A response never repeats what was sent."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    sent_key = first["loc"][0] if first["loc"] else ""
    own_key = sent_key if sent_key in SubmittedChoice.model_fields else "body"
    return f"Something in the request was not valid: `{own_key}`."
