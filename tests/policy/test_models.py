from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from consentkit.policy.models import Category, Controller, Group, Origins, Site, Tracker, TrackerKind, Vendor
from tests.support.policies import data

ROWS: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (Controller, data()["controller"]),
    (Group, {"id": "media", "name": {"en": "Sites"}}),
    (Site, data()["sites"][0]),
    (Category, data()["categories"][1]),
    (Vendor, data()["vendors"][0]),
    (Tracker, data()["trackers"][1]),
    (Origins, {}),
]


@pytest.mark.parametrize(("model", "row"), ROWS)
def test_a_table_refuses_unknown_keys(model: type[BaseModel], row: dict[str, Any]) -> None:
    assert model.model_validate(row)
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate(row | {"legal_basis": "consent"})


@pytest.mark.parametrize(("model", "row"), ROWS)
def test_a_table_is_frozen(model: type[BaseModel], row: dict[str, Any]) -> None:
    made = model.model_validate(row)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, next(iter(model.model_fields)), "x")


@pytest.mark.parametrize(
    ("model", "row", "key"),
    [
        (model, row, key)
        for model, row in ROWS
        for key, field in model.model_fields.items()
        if field.annotation is bool
    ],
)
def test_a_flag_is_true_or_false(model: type[BaseModel], row: dict[str, Any], key: str) -> None:
    for value in ("true", "yes", 1, 0, None, []):
        with pytest.raises(ValidationError):
            model.model_validate(row | {key: value})


@pytest.mark.parametrize(("model", "row"), ROWS)
def test_every_key_is_described_for_editors(model: type[BaseModel], row: dict[str, Any]) -> None:
    assert model.__doc__
    assert all(field.description for field in model.model_fields.values())


def test_every_way_of_storing_and_reading_can_be_declared() -> None:
    # LB-02
    words = "cookie local_storage session_storage indexed_db cache_storage pixel url_decoration fingerprint script"
    assert list(get_args(TrackerKind)) == words.split()


def test_defaults_are_the_cautious_values() -> None:
    category = Category.model_validate(data()["categories"][1])
    assert not (category.required or category.exempt or category.combines_across_sites)
    tracker = Tracker.model_validate(data()["trackers"][1])
    assert (tracker.path, tracker.third_party, tracker.partitioned, tracker.domain) == (
        "/",
        False,
        False,
        None,
    )
    assert Vendor.model_validate(data()["vendors"][0]).role == "controller"
