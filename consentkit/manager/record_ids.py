"""Ids of records that follow from something else, so that what is sent or delivered twice has the same id."""

import hashlib
import hmac
import json
import uuid
from typing import Any

__all__ = ["derived_id", "late_id", "submission_id"]


def submission_id(submission: str, choice: Any, key: bytes) -> str:
    """Return the record id of a submission: the same for the same choice in the same submission.

    Without the site's key, nobody who has the ledger and a browser can find the record of what the browser sent.
    """
    text = json.dumps([submission, choice], sort_keys=True)
    digest = hmac.digest(key, text.encode(), "sha256")
    return str(uuid.UUID(bytes=digest[:16], version=4))


def derived_id(text: str) -> str:
    """Return the record id that follows from a text, such as the ids of the records that it is made of."""
    digest = hashlib.sha256(text.encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def late_id(record_id: str) -> str:
    """Return the id of a record that waited while another one was stored under its id."""
    return derived_id(f"{record_id} late")
