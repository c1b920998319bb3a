"""How a check says what is wrong, or unwise, and how to mend it."""

from dataclasses import dataclass

from pydantic_core import PydanticCustomError

__all__ = ["Finding", "KeyPath", "invalid"]

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a key's path, before it has a file and a line; a warning where the file is lawful all the same."""

    path: KeyPath
    message: str
    remedy: str
    warning: bool = False


def invalid(message: str, remedy: str) -> PydanticCustomError:
    """Make the error that a field's validator raises; `shape` turns it into a Finding."""
    return PydanticCustomError("consentkit", "{message}", {"message": message, "remedy": remedy})
