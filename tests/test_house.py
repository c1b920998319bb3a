"""Rules of the house that a program can check."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "consentkit"
LONGEST_MODULE = 400
LONGEST_FUNCTION = 45

# Work left undone, and names that say nothing about what is inside.
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
VAGUE = {"util", "utils", "helper", "helpers", "base", "core", "common", "misc"}
# Silencing a tool needs its reason: on the same line, or in a comment right above it.
SILENCED = re.compile(r"#\s*(type: ignore\[[\w, -]+\]|noqa: [A-Z0-9, ]+|pragma: no \w+)(.*)")
COMMENT = re.compile(r"\s*#")
# Places on somebody's machine, and addresses of package indexes, have no business here.
PLACES = re.compile(r"(/home/|/root/|/Users/|[A-Z]:\\Users|--(extra-)?index-url|--find-links|/simple\b)")
TEXT = {".py", ".toml", ".md", ".txt", ".in", ".html", ".css", ".js", ".po", ".pot", ".yml", ".json", ""}
OURS = ("consentkit", "docs", "examples", "frontend", "requirements", "tests", "tools", ".ci")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def texts() -> Iterator[tuple[Path, str]]:
    top = [path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".coverage")]
    below = [path for name in OURS for path in (ROOT / name).rglob("*") if path.is_file()]
    for path in sorted(top + below):
        if path.suffix in TEXT and "__pycache__" not in path.parts and path != Path(__file__):
            yield path, path.read_text("utf-8")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_point_downward_and_the_core_knows_no_framework() -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_layer_below_the_web_is_kept_from_the_frameworks() -> None:
    layers, frameworks = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    drawn = layers["layers"]
    below = {
        f"consentkit.{name.strip(' ()')}"
        for layer in drawn[drawn.index("web") + 1 :]
        for name in layer.split("|")
        if list(PACKAGE.glob(f"{name.strip(' ()')}*"))
    }
    assert set(frameworks["source_modules"]) == below


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_a_function_is_short_enough_to_see(path: Path) -> None:
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = [
        f"{function.name}: {lines} lines"
        for function in functions
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_a_module_is_named_by_what_it_holds(path: Path) -> None:
    assert path.stem not in VAGUE


def test_no_module_imports_the_package_itself() -> None:
    taken = {
        f"{relative(path)}: {name.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "consentkit" and not node.level
        for name in node.names
        if not list(PACKAGE.glob(f"{name.name}*"))
    }
    assert not taken


def test_every_module_with_code_has_a_test_file_in_the_folder_of_its_name() -> None:
    lacking = []
    for path in modules():
        folder = ROOT / "tests" / path.relative_to(PACKAGE).parent
        tests = (
            folder / f"test_{path.stem}.py",
            folder / f"test_{folder.name}.py",
            folder.with_name(f"test_{folder.name}.py"),
        )
        if not path.stem.startswith("_") and not any(test.exists() for test in tests):
            lacking.append(relative(path))
    assert not lacking


def test_nothing_is_left_undone() -> None:
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path, text in texts()
        if "security" not in path.parts
        for number, line in enumerate(text.splitlines(), 1)
        if UNDONE.search(line)
    ]
    assert not found


def test_a_silenced_tool_is_given_a_reason() -> None:
    found = []
    for path, text in texts():
        lines = ["", *text.splitlines()]
        for number, line in enumerate(lines):
            silenced = SILENCED.search(line) if path.suffix == ".py" else None
            # mypy reads no tests: what they say to it silences nothing.
            checked = silenced and ("type:" not in silenced[1] or "tests" not in path.parts)
            if checked and not re.search(r"\w{3}", silenced[2]) and not COMMENT.match(lines[number - 1]):
                found.append(f"{relative(path)}:{number}: {line.strip()}")
    assert not found


# Python 3.11 before 3.11.5 matches wrongly where a possessive group holds alternatives (python/cpython#106052).
def test_no_pattern_repeats_a_group_possessively() -> None:
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in modules()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"\brb?\".*\)([*+?]|\{[\d,]+\})\+", line)
    ]
    assert not found


def test_nothing_names_a_place_on_one_machine() -> None:
    found = [
        f"{relative(path)}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        if "security" not in path.parts
        for number, line in enumerate(text.splitlines(), 1)
        if PLACES.search(line)
    ]
    assert not found


def test_locked_requirements_name_hashes_and_no_host() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text("utf-8")
        pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,]+\])?==\S+", text, re.MULTILINE)
        assert pinned
        assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "://" not in text


FOLDERS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
# The checks of a policy run where it is loaded, with each problem's line, and are no part of the policy itself.
OPEN_INSIDE = {"consentkit.policy.checks"}


def test_a_folder_imports_the_face_of_another_and_none_of_its_modules() -> None:
    reached = set()
    for path in modules():
        own = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module or path == PACKAGE / "__init__.py":
                continue
            names = node.module.split(".")
            inside = len(names) > 2 and names[0] == "consentkit" and names[1] in FOLDERS
            if inside and names[1] != own and node.module not in OPEN_INSIDE:
                reached.add(f"{relative(path)}: {node.module}")
    assert not reached


def test_a_face_lists_what_it_imports() -> None:
    for folder in sorted(FOLDERS):
        tree = ast.parse((PACKAGE / folder / "__init__.py").read_text("utf-8"))
        imported = {
            name.asname or name.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        listed = next((node.value for node in tree.body if isinstance(node, ast.Assign)), ast.List(elts=[]))
        assert imported == set(ast.literal_eval(listed)), folder
