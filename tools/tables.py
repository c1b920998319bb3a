"""Write the tables of the documentation that follow from the code: keys of the policy, commands, and tests by requirement.

Each table is in its page between two comments, `<!-- table: NAME -->` and `<!-- /table -->`. `make docs` writes them, and
tests/docs/test_docs.py fails if a table is out of date.
"""

import ast
import inspect
import io
import re
import textwrap
import tokenize
import types
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from consentkit.cli import app
from consentkit.policy import duration, field_types, models, policy, regimes, transfers, url_types

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- /table -->)", re.DOTALL)
_ROW = re.compile(r"^\| ((?:LB|UI|IN|TR|WD|VA|XS|CK|HT|SG|RC|GC|AX|JU)-\d\d) \| (.*?) \|(.*)$", re.MULTILINE)
_ID = re.compile(r"\b(?:LB|UI|IN|TR|WD|VA|XS|CK|HT|SG|RC|GC|AX|JU)-\d\d\b")
NAMED_TESTS = 2
# Where a requirement is shown from outside, as a visitor or an application meets it.
_FROM_OUTSIDE = (
    *(
        "journeys/test_journey.py",
        "docs/test_requirements.py",
        "web/test_exchange.py",
        "journeys/test_running_magazine.py",
        "ui/test_looks.py",
    ),
    *(
        "ui/test_script.py",
        "ui/test_pages.py",
        "ui/test_fragments.py",
        "web/endpoints/test_router.py",
        "journeys/test_group.py",
        "policy/test_checks.py",
        "config/test_policy_file.py",
    ),
)

TABLES = {
    "policy": policy.Policy,
    "controller": models.Controller,
    "authority": models.Authority,
    "regimes": models.Regimes,
    "group": models.Group,
    "sites": models.Site,
    "categories": models.Category,
    "evidence": models.Evidence,
    "vendors": models.Vendor,
    "origins": models.Origins,
    "trackers": models.Tracker,
}

_WORDS = (
    (field_types.Id, "id"),
    (field_types.Line, "text, one line"),
    (field_types.Prose, "text"),
    (field_types.Texts, "text by language"),
    (field_types.Language, "language"),
    (int, "`1`"),
    (field_types.Lifetime, 'duration or `"session"`'),
    (field_types.Pattern, "name, or its beginning and `*`"),
    (field_types.CookiePath, "path"),
    (field_types.DpvTerm, "DPV term"),
    (field_types.PublicKey, "public key"),
    (url_types.Url, "https address"),
    (url_types.LocalizedUrl, "https address, or a table of them by language"),
    (url_types.Essence, "https address, or text by language"),
    (url_types.Reference, "https address, or text"),
    (url_types.Email, "e-mail address"),
    (url_types.Domain, "domain"),
    (url_types.SiteOrigin, "origin"),
    (url_types.VendorOrigin, "origin"),
    (url_types.VendorConnection, "origin"),
    (transfers.Country, "country"),
    (duration.Duration, "duration"),
    (bool, "true or false"),
    (bool | regimes.Mode, "true, false or a mode"),
    (date, "date"),
)


def kind_of(annotation: Any) -> str:
    """Return in words what values a key accepts."""
    for field_type, words in _WORDS:
        if annotation == field_type:
            return words
    if get_origin(annotation) is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(annotation))
    if isinstance(annotation, types.UnionType) or get_origin(annotation) not in (None, Annotated, tuple):
        return next(kind_of(choice) for choice in get_args(annotation) if choice is not type(None))
    if get_origin(annotation) in (Annotated, tuple):
        inner = kind_of(get_args(annotation)[0])
        return f"list of {inner}" if get_origin(annotation) is tuple else inner
    if isinstance(annotation, type):
        return f"table, [see below](#{annotation.__name__.lower()})"
    raise TypeError(f"There are no words for {annotation!r}.")


def policy_table(model: type[models.Table]) -> str:
    """Return the table of the keys of a model."""
    rows = ["| key | takes | absent | |", "|---|---|---|---|"]
    docstrings = _docstrings(model)
    for name, field in model.model_fields.items():
        absent = "**required**" if field.is_required() else _written(field.default)
        takes = kind_of(model.__annotations__[name])
        rows.append(f"| `{field.alias or name}` | {takes} | {absent} | {docstrings[name]} |")
    return "\n".join(rows) + "\n"


def _docstrings(model: type[models.Table]) -> dict[str, str]:
    """Return the docstrings of a model's fields."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0].body  # type: ignore[attr-defined]  # a class statement
    return {
        field.target.id: docstring.value.value
        for field, docstring in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(docstring, ast.Expr)
    }


def _written(default: Any) -> str:
    if default is None or default == () or isinstance(default, models.Table):
        return ""
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f'`"{default}"`'


def commands() -> str:
    """Return the commands with their arguments and options."""
    import typer

    root: Any = typer.main.get_command(app)
    parts = []
    for name, command in named_commands(root):
        rows = ["| argument or option | default | |", "|---|---|---|"]
        for parameter in command.params:
            if parameter.name == "help":
                continue
            is_option = parameter.param_type_name == "option"
            shown = (
                ", ".join(f"`{option}`" for option in parameter.opts)
                if is_option
                else f"`{parameter.metavar or parameter.name.upper()}`"
            )
            value = getattr(parameter.default, "value", parameter.default)
            default = "" if value in (None, False, "") else f"`{value}`"
            rows.append(f"| {shown} | {default} | {parameter.help} |")
        first = command.help.split("\n\n")
        prose = "\n\n".join(" ".join(part.split()) for part in first)
        parts.append(f"### consentkit {name}\n\n{prose}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def named_commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from named_commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


def evidence() -> dict[str, list[tuple[str, str]]]:
    """Return for each requirement the tests whose comments mention it, as file and name, the best evidence first."""
    found: dict[str, list[tuple[bool, int, int, str, str]]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        file = path.relative_to(ROOT / "tests").as_posix()
        for name, ids in _named(path.read_text("utf-8")):
            place = _FROM_OUTSIDE.index(file) if file in _FROM_OUTSIDE else len(_FROM_OUTSIDE)
            for requirement in ids:
                found.setdefault(requirement, []).append((len(ids) > 3, place, len(ids), file, name))
    return {
        requirement: [(test[-2], test[-1]) for test in sorted(tests)] for requirement, tests in found.items()
    }


def _named(source: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each test with the requirements that a comment in it or directly above it mentions."""
    tests = sorted(
        (
            min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]),
            node.end_lineno or 0,
            node.name,
        )
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    found: dict[str, list[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        ids = _ID.findall(token.string) if token.type == tokenize.COMMENT else []
        if ids:
            line = token.start[0]
            owner = next((test for test in tests if test[1] >= line), None)
            if owner is not None:
                found.setdefault(owner[2], []).extend(ids)
    for name, ids in found.items():
        yield name, list(dict.fromkeys(ids))


def requirements(page: str) -> str:
    """Update the last column of the table of requirements; tests that are listed and still exist stay."""
    tests = evidence()

    def row(match: re.Match[str]) -> str:
        known = tests.get(match[1], [])
        named = [test for test in re.findall(r"`([\w/]+\.py)::(test_\w+)`", match[3]) if test in known]
        for file, name in known:
            if len(named) < NAMED_TESTS and file not in {listed for listed, _ in named}:
                named.append((file, name))
        shown = "<br>".join(f"`{file}::{name}`" for file, name in named)
        return f"| {match[1]} | {match[2]} | {shown} |"

    return _ROW.sub(row, page)


def rows(page: str) -> list[tuple[str, str]]:
    """Return the ids of the table of requirements, each with its last column."""
    return re.findall(r"^\| ([A-Z]{2}-\d\d) \|.*\| ([^|]*) \|$", page, re.MULTILINE)


def renewed(page: str) -> str:
    """Return a page with all its tables updated."""

    def table(match: re.Match[str]) -> str:
        if match[2] == "commands":
            return f"{match[1]}{commands()}{match[3]}"
        if match[2] in TABLES:
            return f"{match[1]}{policy_table(TABLES[match[2]])}{match[3]}"
        raise ValueError(f"There is no table {match[2]!r}.")

    return _TABLE.sub(table, page)


def main() -> None:
    """Update all pages in place."""
    for path in sorted(DOCS.rglob("*.md")):
        page = path.read_text("utf-8")
        new = renewed(page)
        if path.name == "requirements.md":
            new = requirements(new)
        if new != page:
            path.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
