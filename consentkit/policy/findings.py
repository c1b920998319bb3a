"""What a check reports: a problem or a warning, and what the owner can do about it."""

from dataclasses import dataclass

from pydantic_core import PydanticCustomError

__all__ = ["Finding", "KeyPath", "invalid"]

KeyPath = tuple[str | int, ...]
"""Keys and positions that lead to a value: `("vendors", 2, "country")`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, or a warning about something lawful but unwise, at a key of the policy.

    `config` adds the file and the line.
    """

    path: KeyPath
    message: str
    remedy: str
    warning: bool = False


def invalid(message: str, remedy: str) -> PydanticCustomError:
    """Return the error for a field's validator to raise; `config.schema_errors` makes a Finding of it."""
    return PydanticCustomError("consentkit", "{message}", {"message": message, "remedy": remedy})
