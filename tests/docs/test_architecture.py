import ast
import re
from pathlib import Path

from tests.support.pages_of_docs import ROOT

PACKAGE = ROOT / "consentkit"
PAGE = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
SPANS = re.findall(r"`([^`\n]+)`", PAGE)
PATHS = [span for span in SPANS if re.fullmatch(r"[\w/]+/|[\w/]+\.py", span)]
NAMES = [span for span in SPANS if re.fullmatch(r"[A-Za-z_]\w+(\.(?!py|toml|lock|cfg)[a-z_]+)?", span)]
# Words of other files, of configuration and of tools.
ELSEWHERE = {"recheck", "pybabel", "consentkit", "needs_ledger", "is_own"}


def names_in(path: Path) -> set[str]:
    """Classes, functions and methods that a module defines, methods with their class too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            names |= {
                node.name,
                *(f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)),
            }
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


def place(path: str) -> Path:
    return ROOT / path if path.startswith("tests/") else PACKAGE / path


def test_every_folder_and_module_that_the_page_names_is_there() -> None:
    assert len(PATHS) > 50
    assert not {path for path in PATHS if not place(path).exists()}


def test_every_name_on_the_page_is_defined_in_the_package() -> None:
    defined = set().union(*(names_in(path) for path in PACKAGE.rglob("*.py")))
    assert len(NAMES) > 40
    assert {name for name in NAMES if name not in defined} <= ELSEWHERE


def test_what_the_page_says_is_in_a_module_is_in_it() -> None:
    pairs = re.findall(r"`([\w/]+\.py)`(?: \(|,\s+)((?:`[\w.]+`(?:, | and )?)+)", PAGE)
    assert len(pairs) > 20
    for path, names in pairs:
        for name in re.findall(r"`([\w.]+)`", names):
            assert name in names_in(place(path)) or name.endswith(".py"), f"{name} is not in {path}"


def test_every_folder_and_public_module_has_a_place_on_the_page() -> None:
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("_")}
    assert folders | modules <= set(PATHS)
