"""The JSON Schema of `consent.toml`, with which editors complete and check the file."""

from typing import Any

from consentkit.policy.policy import Policy

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `consent.toml`; `data/policy.schema.json` is a copy."""
    schema = Policy.model_json_schema(by_alias=True)
    definitions = {name: _for_editors(definition) for name, definition in schema.pop("$defs").items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "consent.toml",
        **_for_editors(schema),
        "$defs": definitions,
    }


def _for_editors(model: dict[str, Any]) -> dict[str, Any]:
    """Remove null, which TOML cannot write, and titles, which only repeat the keys."""
    properties = {}
    for key, schema in model["properties"].items():
        kept = {
            name: value
            for name, value in schema.items()
            if name != "title" and (name, value) != ("default", None)
        }
        choices = [choice for choice in kept.pop("anyOf", ()) if choice != {"type": "null"}]
        properties[key] = (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}) | kept
    return {name: value for name, value in model.items() if name != "title"} | {"properties": properties}
