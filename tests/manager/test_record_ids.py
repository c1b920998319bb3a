import uuid

import pytest

from consentkit.manager.record_ids import derived_id, late_id, submission_id

KEYS = b"a" * 32, b"b" * 32


@pytest.mark.parametrize("made", [derived_id("a text"), late_id("an id"), submission_id("page", [], KEYS[0])])
def test_an_id_is_a_uuid_as_records_have_them(made: str) -> None:
    assert uuid.UUID(made).version == 4 and str(uuid.UUID(made)) == made


def test_id_of_a_submission_follows_from_page_choice_and_key() -> None:
    choices = [["withdraw", None], [True, {"b": 1, "a": 2}]]
    ids = [submission_id(page, choice, key) for page in ("one", "two") for choice in choices for key in KEYS]
    assert len(set(ids)) == 8, "nobody without the key can find the record"
    assert submission_id("one", [True, {"a": 2, "b": 1}], KEYS[0]) == ids[2], "whatever the order"


def test_a_record_that_waited_has_another_id_than_the_one_that_was_stored_first() -> None:
    assert late_id("an id") == late_id("an id") != derived_id("an id")
