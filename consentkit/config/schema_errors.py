"""What is wrong with the shape of a policy: missing and unknown keys, wrong types, values that a field refuses.

So that one bad value does not hide the next problem, `mended` puts fillers in the place of what is wrong; `checks` then
looks at everything else.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consentkit.policy import Category, Finding, KeyPath, Policy, Site, Tracker, Vendor

__all__ = ["findings", "with_placeholders"]

_SECTIONS: Mapping[str, type[BaseModel]] = {
    "sites": Site,
    "categories": Category,
    "vendors": Vendor,
    "trackers": Tracker,
}
_WANTED = {
    "string_type": ("a text", "Put it in quotes."),
    "bool_type": ("true or false", "Write one of them, without quotes."),
    "int_type": ("a whole number", "Write it without quotes and without a point."),
    "tuple_type": ("a list", "Put it in [ ]."),
    "dict_type": ("a table by language", 'Write one: { en = "…", nl = "…" }.'),
    "model_type": ("a table", "Write one: { key = value }, or under a [heading] of its own."),
    "date_type": ("a date", "Write it as 2026-11-22, without quotes."),
}
_BASIS = "The basis follows from `required` and `exempt`; everything else is asked for. Leave the key out."
_KNOWN_MISTAKES = {
    "legal_basis": (
        "The legal basis is not for the policy to choose: storing and reading on a device needs consent, unless it is "
        "strictly necessary (ePrivacy directive 5(3)).",
        _BASIS,
    ),
    "legitimate_interest": ("Legitimate interest is no basis for storing or reading on a device.", _BASIS),
    "validity_refused": (
        "A refusal is remembered as long as a grant.",
        "Leave the key out: `validity` holds for both.",
    ),
}
_KNOWN_MISTAKES |= {
    "basis": _KNOWN_MISTAKES["legal_basis"],
    "legitimate_interests": _KNOWN_MISTAKES["legitimate_interest"],
    "refusal_validity": _KNOWN_MISTAKES["validity_refused"],
}
_MISSING_REMEDIES = {
    "profiling": "Write profiling = true if it may build a profile of visitors, else false: they are told which.",
    "schema": "Begin the file with schema = 1.",
    "sites": "Add a [[sites]] with id, name and origin for each site.",
    "categories": "Add a [[categories]] for each purpose.",
    "controller": "Add a [controller] with name, address, country, email and authority.",
}
_FILLERS: Mapping[str, Any] = {
    "schema": 1,
    "languages": ["en"],
    "validity": "P6M",
    "jurisdiction": "NL",
    "records_kept": "P24M",
    "controller": {
        "name": "-",
        "address": "-",
        "country": "NL",
        "email": "filler@filler.example",
        "authority": {"name": "-", "url": "https://filler.example"},
    },
}
_ROW_FILLERS: Mapping[str, Mapping[str, Any]] = {
    "sites": {"id": "filler", "name": "-", "origin": "https://filler.example"},
    "categories": {"id": "filler", "title": {"en": "-"}, "description": {"en": "-"}},
    "vendors": {
        "id": "filler",
        "name": "-",
        "country": "NL",
        "profiling": False,
        "policy_url": "https://filler.example",
        "category": "filler",
    },
    "trackers": {
        "name": "filler",
        "kind": "script",
        "category": "filler",
        "lifetime": "session",
        "purpose": {"en": "-"},
    },
}


def findings(error: ValidationError, model: type[BaseModel] = Policy) -> list[Finding]:
    """Turn what pydantic found into words that an owner of a site understands."""
    return [_finding(one, model) for one in error.errors(include_url=False) if not _is_consequence(one)]


def _is_consequence(error: ErrorDetails) -> bool:
    """Tell a list that is too short because its rows are wrong, which are reported themselves."""
    return error["type"] == "too_short" and len(error["input"]) > 0


def _finding(error: ErrorDetails, model: type[BaseModel]) -> Finding:
    path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    kind = error["type"]
    if kind == "missing":
        return _missing(path, model)
    if kind == "extra_forbidden":
        return _unknown_key(path, model, error["input"])
    if kind in _WANTED:
        wanted, remedy = _WANTED[kind]
        if len(path) == 1 and path[0] in _SECTIONS:
            remedy = f"Write each under a heading of its own, with two brackets: [[{path[0]}]]."
        return Finding(path, f"This is {_toml_type(error['input'])}; {wanted} is wanted.", remedy)
    context = error.get("ctx", {})
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return Finding(path, "This word is not known here.", _choice(str(error["input"]), words))
    if kind == "too_short":
        return Finding(path, "The list is empty.", "Name at least one.")
    return Finding(
        path, context.get("message") or f"{error['msg']}.", context.get("remedy", "Mend the value.")
    )


def _missing(path: KeyPath, model: type[BaseModel]) -> Finding:
    owner = _model_at(path[:-1], model)
    key = str(path[-1])
    described = next((field.description for name, field in _fields(owner) if name == key), None)
    remedy = _MISSING_REMEDIES.get(key) or f"Add it: {described or 'it is required.'}"
    return Finding(path, "The key is missing.", remedy)


def _unknown_key(path: KeyPath, model: type[BaseModel], value: object) -> Finding:
    key = str(path[-1])
    if key in ("legal_basis", "basis") and "legitimate" in str(value):
        key = "legitimate_interest"
    if key in _KNOWN_MISTAKES:
        return Finding(path, *_KNOWN_MISTAKES[key])
    known = [name for name, _ in _fields(_model_at(path[:-1], model))]
    remedy = _choice(key, known)
    elsewhere = [section for section, row in _SECTIONS.items() if key in dict(_fields(row))]
    if len(path) == 1 and elsewhere and not get_close_matches(key, known, 1):
        remedy = (
            f"It belongs under [[{elsewhere[0]}]]; a key stands above the first heading, or under its own."
        )
    return Finding(path, "This key is not known.", remedy)


def _choice(word: str, known: list[str]) -> str:
    close = get_close_matches(word[:64], known, 1)
    return f'Did you mean "{close[0]}"?' if close else f"Known here: {', '.join(known)}."


def _fields(model: type[BaseModel]) -> Iterable[tuple[str, Any]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _model_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """Follow a path through the models to the one whose keys stand there."""
    for part in path:
        if isinstance(part, str):
            model = _models_in(dict(_fields(model))[part].annotation)[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    own = [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    return own + [model for inner in get_args(annotation) for model in _models_in(inner)]


def _toml_type(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def with_placeholders(
    data: Mapping[str, Any], found: Iterable[Finding]
) -> tuple[dict[str, Any], frozenset[KeyPath]]:
    """Copy a policy's data with fillers for what is wrong; give the paths that hold fillers, or lack what stood there."""
    copy = {key: _shallow(value) for key, value in data.items()}
    bad: set[KeyPath] = set()
    for one in found:
        section = one.path[0]
        if section not in _ROW_FILLERS:
            _mend(copy, one.path, 0, _FILLERS, Policy, bad)
        elif len(one.path) == 1:
            copy[str(section)] = [dict(_ROW_FILLERS[str(section)])]
            bad.add(one.path)
        elif len(one.path) == 2:
            copy[str(section)][one.path[1]] = dict(_ROW_FILLERS[str(section)])
            bad.add(one.path)
        else:
            row = copy[str(section)][one.path[1]]
            _mend(row, one.path, 2, _ROW_FILLERS[str(section)], _SECTIONS[str(section)], bad)
    return copy, frozenset(bad)


def _shallow(value: Any) -> Any:
    if isinstance(value, list):
        return [dict(row) if isinstance(row, dict) else row for row in value]
    return value


def _mend(
    table: dict[str, Any],
    path: KeyPath,
    depth: int,
    fillers: Mapping[str, Any],
    model: type[BaseModel],
    bad: set[KeyPath],
) -> None:
    key = str(path[depth])
    table.pop(key, None)
    if key in fillers:
        table[key] = fillers[key]
    if any(name == key for name, _ in _fields(model)):
        bad.add(path[: depth + 1])
