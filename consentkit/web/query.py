"""Fields of queries and forms (application/x-www-form-urlencoded, URL standard), read strictly.

Values must be percent-encoded UTF-8. Neither value of a repeated field is used, because two programs could choose
differently. Most addresses refuse such a query. The hand-off never responds with an error, so it drops the field.
"""

from collections import Counter
from urllib.parse import parse_qsl

__all__ = ["RepeatedFieldError", "unique_fields", "unrepeated_fields"]

_MOST_FIELDS = 16


class RepeatedFieldError(ValueError):
    """Raised if a field is repeated."""


def _pairs(fields: bytes, most: int, *, strict: bool) -> list[tuple[str, str]]:
    return parse_qsl(
        fields.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=strict and bool(fields),
        errors="strict",
        max_num_fields=most,
    )


def unique_fields(fields: bytes, *, most: int = _MOST_FIELDS, strict: bool = False) -> dict[str, str]:
    """Return the values of a query's or form's fields, by name.

    Args:
        fields: a query, or the body of a form.
        most: the largest number of fields.
        strict: whether a field without `=` is malformed.

    Raises:
        RepeatedFieldError: a field is repeated.
        ValueError: there are too many fields, or a field is malformed.
    """
    pairs = _pairs(fields, most, strict=strict)
    named = dict(pairs)
    if len(named) != len(pairs):
        raise RepeatedFieldError("A field is repeated.")
    return named


def unrepeated_fields(fields: bytes) -> dict[str, str]:
    """Return the values of fields that are not repeated, by name; empty if the query is malformed. Never raises."""
    try:
        pairs = _pairs(fields, _MOST_FIELDS, strict=False)
    except ValueError:
        return {}
    counts = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if counts[name] == 1}
