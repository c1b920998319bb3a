import json
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from consentkit.policy.json_schema import json_schema
from tests.support.policies import Change, data, policy, put

TESTS = Path(__file__).parents[1]
SCHEMA = json_schema()


def test_the_shipped_schema_is_the_generated_one() -> None:
    shipped = files("consentkit.policy").joinpath("data/policy.schema.json").read_text("utf-8")
    assert shipped == json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", ["consent.example.toml", "security_policy.toml"])
def test_the_schema_accepts_the_examples(name: str) -> None:
    jsonschema.validate(tomllib.loads((TESTS / name).read_text("utf-8")), SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        put(more=1),
        put("vendors", 0, more=1),
        put(validity="six months"),
        put("trackers", 0, kind="coockie"),
        put("trackers", 0, lifetime="long"),
        put("sites", 0, origin="stride.example"),
        put("categories", 0, title={}),
        put("categories", 0, title={"e n": "x"}),
        put("vendors", 0, country="Netherlands"),
    ],
)
def test_the_schema_refuses_what_the_models_refuse(change: Change) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert validator.is_valid(data()) and not validator.is_valid(data(change))
    with pytest.raises(ValidationError):
        policy(change)
