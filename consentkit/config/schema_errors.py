"""Findings in plain words for pydantic's errors about a policy: missing and unknown keys, wrong types, and invalid values.

`with_placeholders` replaces the invalid values, so that the policy's checks can still find all other problems.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consentkit.policy import Category, Finding, KeyPath, Policy, Site, Tracker, Vendor

__all__ = ["explain_errors", "with_placeholders"]

_SECTIONS: Mapping[str, type[BaseModel]] = {
    "sites": Site,
    "categories": Category,
    "vendors": Vendor,
    "trackers": Tracker,
}
_EXPECTED = {
    "string_type": ("text", "Put it in quotes."),
    "bool_type": ("true or false", "Write true or false, without quotes."),
    "int_type": ("a whole number", "Write it without quotes and without a decimal point."),
    "tuple_type": ("a list", "Put it in [ ]."),
    "dict_type": ("a table by language", 'Write { en = "…", nl = "…" }.'),
    "model_type": ("a table", "Write { key = value }, or the keys under a [heading] of their own."),
    "date_type": ("a date", "Write it like 2026-11-22, without quotes."),
}
_BASIS = "Remove the key: visitors are asked for consent, unless the category is `required` or `exempt`."
_KNOWN_MISTAKES = {
    "legal_basis": (
        "A policy cannot choose the legal basis: storing and reading on a device needs consent, unless it is strictly "
        "necessary (ePrivacy directive 5(3)).",
        _BASIS,
    ),
    "legitimate_interest": (
        "Legitimate interest is not a legal basis for storing or reading on a device.",
        _BASIS,
    ),
    "validity_refused": (
        "A refusal is valid for as long as a grant.",
        "Remove the key: `validity` applies to both.",
    ),
}
_KNOWN_MISTAKES |= {
    "basis": _KNOWN_MISTAKES["legal_basis"],
    "legitimate_interests": _KNOWN_MISTAKES["legitimate_interest"],
    "refusal_validity": _KNOWN_MISTAKES["validity_refused"],
}
_MISSING_REMEDIES = {
    "purpose": "Say what the item is for.",
    "title": "Write what the purpose is called.",
    "description": 'Say what the purpose is for, such as "To count visits".',
    "country": 'Write the two letters of ISO 3166-1, such as "NL".',
    "jurisdiction": 'Write the two letters of ISO 3166-1, such as "NL".',
    "policy_url": "Write the URL of the vendor's privacy policy.",
    "lifetime": 'Write how long the item is kept, such as "P6M", or "session".',
    "validity": 'Write how long a decision is valid, such as "P6M".',
    "records_kept": 'Write how long records are kept after a decision has ended, such as "P24M".',
    "languages": 'List the languages of the texts, such as ["en"].',
    "origin": 'Write scheme and host, such as "https://www.example.org".',
    "email": "Write the address for questions about data.",
    "authority": "Write the name and the url of the supervisory authority.",
    "profiling": "Write profiling = true if the vendor may build a profile of visitors, else false.",
    "schema": "Begin the file with schema = 1.",
    "sites": "Add [[sites]] with id, name and origin for each site.",
    "categories": "Add [[categories]] with id, title and description for each purpose.",
    "controller": "Add [controller] with name, address, country, email and authority.",
}
_PLACEHOLDERS: Mapping[str, Any] = {
    "schema": 1,
    "languages": ["en"],
    "validity": "P6M",
    "jurisdiction": "NL",
    "records_kept": "P24M",
    "controller": {
        "name": "-",
        "address": "-",
        "country": "NL",
        "email": "placeholder@placeholder.example",
        "authority": {"name": "-", "url": "https://placeholder.example"},
    },
}
_ROW_PLACEHOLDERS: Mapping[str, Mapping[str, Any]] = {
    "sites": {"id": "placeholder", "name": "-", "origin": "https://placeholder.example"},
    "categories": {"id": "placeholder", "title": {"en": "-"}, "description": {"en": "-"}},
    "vendors": {
        "id": "placeholder",
        "name": "-",
        "country": "NL",
        "profiling": False,
        "policy_url": "https://placeholder.example",
        "category": "placeholder",
    },
    "trackers": {
        "name": "placeholder",
        "kind": "script",
        "category": "placeholder",
        "lifetime": "session",
        "purpose": {"en": "-"},
    },
}


def explain_errors(error: ValidationError, model: type[BaseModel] = Policy) -> list[Finding]:
    """Return pydantic's errors as findings that the owner of a site understands."""
    return [
        _explain(details, model)
        for details in error.errors(include_url=False)
        if not _is_consequence(details)
    ]


def _is_consequence(error: ErrorDetails) -> bool:
    """Return whether a list is too short only because of invalid rows, which have errors of their own."""
    return error["type"] == "too_short" and len(error["input"]) > 0


def _explain(error: ErrorDetails, model: type[BaseModel]) -> Finding:
    path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    kind = error["type"]
    if kind == "missing":
        return _explain_missing_key(path, model)
    if kind == "extra_forbidden":
        return _explain_unknown_key(path, model, error["input"])
    if kind in _EXPECTED:
        expected, remedy = _EXPECTED[kind]
        if len(path) == 1 and path[0] in _SECTIONS:
            remedy = f"Write each under a heading of its own, with two brackets: [[{path[0]}]]."
        return Finding(path, f"Expected {expected}, found {_toml_type(error['input'])}.", remedy)
    context = error.get("ctx", {})
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return Finding(path, "Unknown value.", _suggest(str(error["input"]), words))
    if kind == "too_short":
        return Finding(path, "The list is empty.", "Add at least one item.")
    return Finding(
        path, context.get("message") or f"{error['msg']}.", context.get("remedy", "Correct the value.")
    )


def _explain_missing_key(path: KeyPath, model: type[BaseModel]) -> Finding:
    owner = _model_at(path[:-1], model)
    key = str(path[-1])
    described = next((field.description for name, field in _fields(owner) if name == key), None)
    # An abbreviation such as "URL" keeps its capitals.
    is_word = described is not None and not described[:2].isupper()
    meaning = (
        f"{described[0].lower()}{described[1:]}" if described and is_word else described or "it is required."
    )
    return Finding(path, f"Missing key `{key}`.", _MISSING_REMEDIES.get(key) or f"Add it: {meaning}")


def _explain_unknown_key(path: KeyPath, model: type[BaseModel], value: object) -> Finding:
    key = str(path[-1])
    if key in ("legal_basis", "basis") and "legitimate" in str(value):
        key = "legitimate_interest"
    if key in _KNOWN_MISTAKES:
        return Finding(path, *_KNOWN_MISTAKES[key])
    known_keys = [name for name, _ in _fields(_model_at(path[:-1], model))]
    remedy = _suggest(key, known_keys)
    sections = [section for section, row in _SECTIONS.items() if key in dict(_fields(row))]
    if len(path) == 1 and sections and not get_close_matches(key, known_keys, 1):
        remedy = f"Move it below [[{sections[0]}]], where it is a key of every row."
    return Finding(path, "Unknown key.", remedy)


def _suggest(word: str, expected: list[str]) -> str:
    close = get_close_matches(word[:64], expected, 1)
    return f'Did you mean "{close[0]}"?' if close else f"Expected one of: {', '.join(expected)}."


def _fields(model: type[BaseModel]) -> Iterable[tuple[str, Any]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _model_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """Return the model of the table at a path."""
    for part in path:
        if isinstance(part, str):
            model = _models_in(dict(_fields(model))[part].annotation)[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    models = [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    return models + [model for inner in get_args(annotation) for model in _models_in(inner)]


def _toml_type(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "text"
        case int():
            return "a whole number"
        case float():
            return "a decimal number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def with_placeholders(
    data: Mapping[str, Any], findings: Iterable[Finding]
) -> tuple[dict[str, Any], frozenset[KeyPath]]:
    """Return a copy of a policy's data in which placeholders replace the invalid values, and the paths of these values."""
    copy = {key: _copied_rows(value) for key, value in data.items()}
    paths: set[KeyPath] = set()
    for path in (finding.path for finding in findings):
        section = str(path[0])
        if section not in _ROW_PLACEHOLDERS:
            _replace(copy, path, 0, _PLACEHOLDERS, Policy, paths)
        elif len(path) == 1:
            copy[section] = [dict(_ROW_PLACEHOLDERS[section])]
            paths.add(path)
        elif len(path) == 2:
            copy[section][path[1]] = dict(_ROW_PLACEHOLDERS[section])
            paths.add(path)
        else:
            row = copy[section][path[1]]
            _replace(row, path, 2, _ROW_PLACEHOLDERS[section], _SECTIONS[section], paths)
    return copy, frozenset(paths)


def _copied_rows(value: Any) -> Any:
    if isinstance(value, list):
        return [dict(row) if isinstance(row, dict) else row for row in value]
    return value


def _replace(
    table: dict[str, Any],
    path: KeyPath,
    depth: int,
    placeholders: Mapping[str, Any],
    model: type[BaseModel],
    paths: set[KeyPath],
) -> None:
    """Replace the value of a table's key with its placeholder, or remove it if the key is optional."""
    key = str(path[depth])
    table.pop(key, None)
    if key in placeholders:
        table[key] = placeholders[key]
    if any(name == key for name, _ in _fields(model)):
        paths.add(path[: depth + 1])
