"""How a field's check says what is wrong and how to mend it, through pydantic."""

from pydantic_core import PydanticCustomError

__all__ = ["fault"]


def fault(message: str, remedy: str) -> PydanticCustomError:
    """Make the error that a validator raises; `policy_file` turns it into a Problem with file and line."""
    return PydanticCustomError("consentkit", "{message}", {"message": message, "remedy": remedy})
