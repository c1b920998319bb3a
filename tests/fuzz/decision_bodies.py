"""Target `bodies`: what is posted to the decision address, as JSON and as a form."""

import json
from collections.abc import Callable
from posixpath import normpath
from typing import TypeVar
from urllib.parse import urlencode, urlsplit
from zlib import crc32

from consentkit.errors import InvalidDecisionError
from consentkit.headers import local_path
from consentkit.web.endpoints.body import LARGEST_BODY, BodyBuffer
from consentkit.web.endpoints.choice import SubmittedChoice, read_form, read_json, read_query
from consentkit.web.query import unrepeated_fields

T = TypeVar("T")

MESSAGES = {
    "The body is nested too deeply.",
    "The body is not valid JSON.",
    "The body names a key twice.",
    "The body holds a number that JSON does not know.",
    "The body has neither `categories`, `vendors` nor `choice`.",
    "`next`, `save` and `change` are for forms.",
    "`choice` stands alone: it answers everything.",
    "An answer is `on` or `off`.",
    "The form has a field that does not belong there.",
    "The form has no `choice`.",
    "`accept_all` and `reject_all` stand alone: they answer everything.",
    "The form has too many fields.",
    "The form names a field twice.",
    "The form is not application/x-www-form-urlencoded in UTF-8.",
    *(
        f"Something in the request was not valid: `{name}`."
        for name in (*SubmittedChoice.model_fields, "body")
    ),
}


def check(data: bytes) -> None:
    """Read bytes as each kind of body, and check that what is accepted means the same when written again."""
    assert _received(data) == data
    for merge in (False, True):
        choice = _read(lambda merge=merge: read_json(data, merge=merge))
        if choice is not None:
            _check_json(data, choice, merge=merge)
    form = _read(lambda: read_form(data))
    if form is not None:
        _check_form(*form)
    withdrawal = _read(lambda: read_query(data))
    if withdrawal is not None:
        assert withdrawal[0].choice is None and not withdrawal[0].has_answers
    for value in unrepeated_fields(data).values():
        _check_path(value)


def _read(read: Callable[[], T]) -> T | None:
    """Return what a reader accepts, or None after a check that its refusal repeats nothing that was sent."""
    try:
        return read()
    except InvalidDecisionError as error:
        assert str(error) in MESSAGES, str(error)
        return None


def _received(data: bytes) -> bytes:
    """Return a body that arrives in pieces."""
    buffer = BodyBuffer([])
    cut = crc32(data) % (len(data) + 1)
    for piece in (data[:cut], data[cut:]):
        buffer.add(piece)
    body = buffer.whole()
    assert (body is None) == (len(data) > LARGEST_BODY)
    return data if body is None else body


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    assert len(members) == len(pairs)
    return members


def _check_json(data: bytes, choice: SubmittedChoice, *, merge: bool) -> None:
    sent = json.loads(data, object_pairs_hook=_without_repetition)
    assert all(sent[name] == value for name, value in choice.model_dump(exclude_unset=True).items())
    for answers in (choice.categories, choice.vendors):
        assert all(type(value) is bool for value in (answers or {}).values())
    assert choice.has_answers == (choice.choice is None)
    written = choice.model_dump_json(exclude_unset=True).encode()
    assert read_json(written, merge=merge) == choice


def _check_form(choice: SubmittedChoice, category: str | None) -> None:
    assert category is None and choice.choice is not None
    fields = [
        *(f"category.{item}" for item in choice.categories or ()),
        *(f"vendor.{item}" for item in choice.vendors or ()),
    ]
    answers = [*(choice.categories or {}).values(), *(choice.vendors or {}).values()]
    written = {name: "on" if on else "off" for name, on in zip(fields, answers, strict=True)}
    for name in ("choice", "next", "notice", "language", "surface"):
        value = getattr(choice, name)
        if value is not None:
            written[name] = value
    assert read_form(urlencode(written).encode()) == (choice, None)
    _check_path(choice.next)


def _check_path(value: str | None) -> None:
    path = local_path(value, "/consent")
    assert path in ("/", value)
    assert path.isascii() and path.isprintable() and " " not in path and "\\" not in path
    assert path.startswith("/") and not path.startswith("//")
    address = urlsplit(f"https://stride.example{path}")
    assert address.netloc == "stride.example"
    resolved = normpath(address.path)
    assert resolved != "/consent" and not resolved.startswith("/consent/")
