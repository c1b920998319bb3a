"""Run what the documentation shows, and check that everything public is documented."""

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import consentkit
from consentkit import ConsentManager, Ledger, errors
from consentkit.asgi import ConsentMiddleware
from consentkit.cli.policy import app as command_line
from consentkit.web.request_consent import RequestConsent
from tests.conftest import Clock
from tests.support.family import a_family
from tests.support.pages_of_docs import ROOT, Reader, blocks_of
from tools import tables

DOCS = ROOT / "docs"
EMBED = (("/embed/{vendor}", "GET"), ("/embed/{vendor}", "POST"))
PAGES = sorted(DOCS.rglob("*.md"))
NAMES = [str(path.relative_to(DOCS)) for path in PAGES]
REFERENCE = {path.stem: path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md")}

# Pages with a test of their own, which follows them in a new project of the framework.
FOLLOWED_IN_A_PROJECT = {"how-to/django.md", "how-to/wagtail.md"}

# Requirements of severity "must" that are in scope.
MUST = [
    f"{section}-{number:02}"
    for section, numbers in (
        ("LB", range(1, 11)),
        ("UI", (1, 2, 3, 4, 5, 7, 8, 9)),
        ("IN", range(1, 8)),
        ("TR", range(1, 7)),
        ("WD", range(1, 9)),
        ("VA", range(1, 6)),
        ("XS", range(1, 8)),
        ("CK", (1, 2, 3, 4, 7, 8)),
        ("HT", range(1, 7)),
        ("SG", (1, 3, 4, 6, 7)),
        ("RC", (1, 2, 4, 5, 6, 8, 9, 10)),
        ("GC", range(1, 6)),
        ("AX", range(1, 10)),
        ("JU", (1, 2)),
    )
    for number in numbers
]


@pytest.fixture
def reader(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("CONSENT_KEY", "a key that the tests of the documentation sign with")
    monkeypatch.setenv("CONSENT_KEY_BEFORE", "a key that the documentation signed with until yesterday")
    monkeypatch.setenv("CRM_SECRET", "whsec_dGhlIGRvY3VtZW50YXRpb24gc2lnbnMgd2l0aCB0aGlz")
    monkeypatch.setenv("ADHUB_SECRET", "whsec_dGhlIGRvY3VtZW50YXRpb24gc2lnbnMgd2l0aCB0aGlz")
    monkeypatch.setenv("SECRET_KEY", "a key that signs the sessions of Flask in the documentation")
    monkeypatch.setenv("SESSION_KEY", "a key that signs the sessions of the documentation")
    with ExitStack() as running:
        yield Reader(tmp_path, clock, running)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FOLLOWED_IN_A_PROJECT])
def test_code_blocks_of_a_page_run(name: str, reader: Reader) -> None:
    for block in blocks_of((DOCS / name).read_text("utf-8")):
        try:
            reader.read(block)
        except Exception as error:
            error.add_note(f"docs/{name}, line {block.line}")
            raise


@pytest.mark.parametrize("page", ["testing", "flask"])
def test_tests_shown_in_a_guide_pass(page: str, reader: Reader) -> None:
    for block in blocks_of((DOCS / f"how-to/{page}.md").read_text("utf-8")):
        reader.read(block)
    files = sorted(path.name for path in reader.directory.glob("test_*.py"))
    assert files
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=reader.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_site_builds_without_warnings(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    front = (tmp_path / "site/index.html").read_text("utf-8")
    assert "https://fonts" not in front and not re.findall(
        r'(?:src|href)="https?://[^"]+\.(?:js|css)"', front
    )


def test_every_page_is_in_the_navigation() -> None:
    contents = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    assert sorted(_leaves(contents)) == sorted(NAMES)


def _leaves(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _leaves(child)


# Complete


@pytest.mark.parametrize("name", NAMES)
def test_generated_tables_are_up_to_date(name: str) -> None:
    page = (DOCS / name).read_text("utf-8")
    assert tables.renewed(page) == page, "Run `make docs`."


def test_every_key_of_the_policy_is_documented() -> None:
    shown = re.findall(r"<!-- table: (\w+) -->", REFERENCE["policy-file"])
    assert sorted(shown) == sorted(tables.TABLES)


def test_every_command_and_option_is_documented() -> None:
    group: Any = typer.main.get_command(command_line)
    for name, command in tables.named_commands(group):
        assert f"### consentkit {name}\n" in REFERENCE["command-line"]
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"`{option}`" in REFERENCE["command-line"], option
    assert all(f"`{option}`" in REFERENCE["command-line"] for option in ("--version", "--help"))


def test_every_route_is_documented(clock: Clock) -> None:
    page = REFERENCE["http"]
    with ExitStack() as running:
        # A site that takes part in hand-offs, so that it has every route.
        ledger = Ledger("sqlite://")
        running.callback(ledger.close)
        family = running.enter_context(a_family(ledger, clock))
        endpoints = ConsentMiddleware(family["stride"].app, family["stride"].manager)._endpoints
    routes = [(path, method) for path, methods in endpoints._routes.items() for method in methods]
    for path, method in [*routes, ("/notices/{digest}", "GET"), ("/assets/{name}", "GET"), *EMBED]:
        assert f"`{method} /consent{path}`" in page, (method, path)
    assert "`GET /.well-known/gpc.json`" in page


def test_every_error_is_documented() -> None:
    for name in errors.__all__:
        assert f"::: consentkit.errors.{name}\n" in REFERENCE["errors"], name


@pytest.mark.parametrize(
    "module",
    [
        "consentkit",
        "consentkit.asgi",
        "consentkit.fastapi",
        "consentkit.testing",
        "consentkit.django",
        "consentkit.flask",
        "consentkit.litestar",
        "consentkit.quart",
    ],
)
def test_every_public_name_is_documented(module: str) -> None:
    shown = {
        name.rpartition(".")[2]
        for page in REFERENCE.values()
        for name in re.findall(r"^::: (\S+)", page, re.M)
    }
    assert set(importlib.import_module(module).__all__) <= shown


def test_every_option_of_the_manager_is_documented() -> None:
    described = set(re.findall(r"^ {8}(\w+): ", inspect.getdoc(ConsentManager) or "", re.M)) | set(
        re.findall(r"^    (\w+): ", inspect.getdoc(ConsentManager) or "", re.M)
    )
    assert set(inspect.signature(ConsentManager).parameters) <= described


def test_public_members_of_request_consent_have_docstrings() -> None:
    for name, member in inspect.getmembers(RequestConsent):
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            assert inspect.getdoc(member), name
    assert consentkit.__doc__


def test_every_template_and_custom_property_is_documented() -> None:
    page = (DOCS / "how-to/styling.md").read_text("utf-8")
    for template in (ROOT / "consentkit/ui/templates").iterdir():
        assert f"`{template.name}`" in page, template.name
    style = "".join(path.read_text("utf-8") for path in (ROOT / "consentkit/ui/static").glob("*.css"))
    used = set(re.findall(r"var\((--consent-[a-z-]+)", style))
    assert used == set(re.findall(r"^  (--consent-[a-z-]+):", page, re.M))
    assert used == set(re.findall(r"^\| `(--consent-[a-z-]+)` \|", page, re.M))


def test_every_member_of_the_script_is_documented() -> None:
    script = (ROOT / "consentkit/ui/script/main.js").read_text("utf-8")
    members = script[script.index("window.consentkit = {") :]
    names = set(re.findall(r"^  (?:get )?(\w+)[:(,]", members, re.M))
    table = REFERENCE["script"].split("## window.consentkit")[1].split("## ")[0]
    assert names == set(re.findall(r"^\| `(\w+)(?:\(|`)", table, re.M))


# Requirements


def test_every_requirement_in_scope_is_listed_with_a_test_that_names_it() -> None:
    listed = dict(tables.rows(REFERENCE["requirements"]))
    assert set(MUST) <= set(listed)
    named = tables.evidence()
    missing = [requirement for requirement in MUST if requirement not in named]
    assert not missing, f"No test names {', '.join(missing)}."
    for requirement, tests in listed.items():
        shown = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tests)
        assert shown, f"{requirement} lists no test: run `make docs`."
        assert set(shown) <= set(named[requirement]), (
            f"{requirement} lists a test that is gone: run `make docs`."
        )


# Pictures


def test_every_threat_names_a_test() -> None:
    page = (DOCS / "explanation" / "threat-model.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    files = [re.fullmatch(r".* `(\S+\.py)` \|", row) for row in rows]
    assert len(rows) > 25 and all(files)
    missing = [found[1] for found in files if found and not (ROOT / "tests" / found[1]).is_file()]
    assert not missing


def test_pictures_are_small_and_shown() -> None:
    pages = "".join(path.read_text("utf-8") for path in PAGES)
    for picture in (DOCS / "pictures").iterdir():
        assert picture.name in pages, picture.name
        assert picture.stat().st_size < 80_000, picture.name
