"""Fields of queries and forms (application/x-www-form-urlencoded, URL standard), read strictly.

Values must be percent-encoded UTF-8. A field that comes twice is never read as either of its values, because two readers could
choose differently: most addresses refuse such a query, and the hand-off, which never answers with an error, reads no value.
"""

from collections import Counter
from urllib.parse import parse_qsl

__all__ = ["RepeatedFieldError", "unique_fields", "unrepeated_fields"]

_MOST_FIELDS = 16


class RepeatedFieldError(ValueError):
    """Raised where a field comes twice."""


def _pairs(fields: bytes, most: int, *, strict: bool) -> list[tuple[str, str]]:
    return parse_qsl(
        fields.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=strict and bool(fields),
        errors="strict",
        max_num_fields=most,
    )


def unique_fields(fields: bytes, *, most: int = _MOST_FIELDS, strict: bool = False) -> dict[str, str]:
    """Return the fields by name.

    Args:
        fields: a query, or the body of a form.
        most: how many fields there may be.
        strict: whether a field without `=` is malformed.

    Raises:
        RepeatedFieldError: a field comes twice.
        ValueError: too many fields, or malformed ones.
    """
    pairs = _pairs(fields, most, strict=strict)
    named = dict(pairs)
    if len(named) != len(pairs):
        raise RepeatedFieldError("A field comes twice.")
    return named


def unrepeated_fields(fields: bytes) -> dict[str, str]:
    """Return the fields that come once, by name; nothing where the query is malformed. Never raises."""
    try:
        pairs = _pairs(fields, _MOST_FIELDS, strict=False)
    except ValueError:
        return {}
    times = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if times[name] == 1}
