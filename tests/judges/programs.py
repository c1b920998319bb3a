"""The judges: each is a program of others, run once over all pages."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.judges.findings import PLANTED, Finding, Judge, Page
from tests.support.browser import installed, playwrights_own
from tests.support.npm import node_modules

__all__ = ["judges"]

HERE = Path(__file__).parent
LONGEST = 300
"""Seconds that one program may take."""
HTML_VALIDATE = {
    "root": True,
    "extends": ["html-validate:recommended"],
    "rules": {
        # The HTML standard allows the doctype in any case, and writes it in small letters itself.
        "doctype-style": "off",
        # ARIA allows a name for each role but a few, such as those of lists. The rule knows only regions and fields.
        "aria-label-misuse": ["error", {"allowAnyNamable": True}],
    },
}
EVALUATE = """
const [{ CspEvaluator }, { CspParser }, { Severity }] =
  ["evaluator", "parser", "finding"].map(name => require(`${process.argv[1]}/dist/${name}.js`));
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf-8")).map(header =>
  new CspEvaluator(new CspParser(header).csp).evaluate().filter(one => one.severity <= Severity.HIGH)
    .map(one => [`${one.directive} ${one.value ?? ""}`.trim(), one.description]))));
"""
# What pa11y opens in a browser, in these states and at these widths: the rest differs in words alone.
SAMPLE = (
    *("/", "/articles/hamstrings", "/consent", "/consent/policy", "/consent/sites", "/nowhere", "embed"),
    PLANTED,
)
SAMPLE_STATES = ("undecided", "granted", "-")
WIDTHS = (390, 1280)


def judges(installation: Path) -> dict[str, Judge]:
    """Return the judges by name; `tools/judges` has installed them into a directory."""
    modules = installation / "node_modules"
    return {
        "vnu": partial(_vnu, modules),
        "pa11y": partial(_pa11y, modules),
        "html-validate": partial(_html_validate, modules),
        "csp_evaluator": _csp_evaluator,
    }


def _vnu(modules: Path, pages: Sequence[Page]) -> list[Finding]:
    """Judge with the HTML checker of the W3C; its warnings count too."""
    jar = modules / "vnu-jar/build/dist/vnu.jar"
    options = ("--format", "json", "--stdout", "--exit-zero-always")
    files = [page.file for page in pages]
    told = _run("java", "-Xss2m", "-XX:TieredStopAtLevel=1", "-jar", jar, *options, *files)
    by_path = {urlsplit(page.file.as_uri()).path: page for page in pages}
    return [
        Finding(
            "vnu",
            by_path[urlsplit(message["url"]).path],
            message.get("subType", message["type"]),
            message["message"],
            message.get("lastLine", 0),
        )
        for message in json.loads(told)["messages"]
        if message["type"] != "info" or message.get("subType") == "warning"
    ]


def _html_validate(modules: Path, pages: Sequence[Page]) -> list[Finding]:
    """Judge with html-validate and its recommended rules."""
    config = pages[0].file.with_name("html-validate.json")
    config.write_text(json.dumps(HTML_VALIDATE), "utf-8")
    program = modules / "html-validate/bin/html-validate.mjs"
    files = [page.file for page in pages]
    told = _run("node", program, "--config", config, "--formatter", "json", *files, expected=(0, 1))
    by_file = {str(page.file): page for page in pages}
    return [
        Finding(
            "html-validate",
            by_file[result["filePath"]],
            message["ruleId"],
            message["message"],
            message["line"],
        )
        for result in json.loads(told)
        for message in result["messages"]
    ]


def _csp_evaluator(pages: Sequence[Page]) -> list[Finding]:
    """Judge each Content-Security-Policy as it was sent; only grave findings count."""
    by_header = {page.csp: page for page in reversed(pages) if page.csp}
    told = _run("node", "-e", EVALUATE, node_modules() / "csp_evaluator", read=list(by_header))
    return [
        Finding("csp_evaluator", page, rule, f"{description} In: {page.csp}")
        for page, found in zip(by_header.values(), json.loads(told), strict=True)
        for rule, description in found
    ]


def _pa11y(modules: Path, pages: Sequence[Page]) -> list[Finding]:
    """Judge a sample of pages as a browser lays them out, at the width of a phone and of a desktop."""
    chosen: dict[tuple[str, str], Page] = {}
    for page in pages:
        if page.path in SAMPLE and page.state in SAMPLE_STATES and page.language == "en":
            chosen.setdefault((page.path, page.state), page)
    opened = [
        Page(one.path, one.state, one.language, one.file, one.url, one.cookies, width=width)
        for one in chosen.values()
        for width in WIDTHS
    ]
    told = _run("node", HERE / "pa11y.cjs", modules, _chromium(), read=[_job(page) for page in opened])
    return [
        Finding("pa11y", page, issue["code"], f"{issue['message']} {issue['selector']} {issue['element']}")
        for page, issues in zip(opened, json.loads(told), strict=True)
        for issue in issues
    ]


def _job(page: Page) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in page.cookies.split("; ") if pair]
    return {
        "url": page.url,
        "cookies": [{"name": name, "value": value} for name, _, value in pairs],
        "language": page.language,
        "width": page.width,
    }


def _chromium() -> str:
    return installed() or str(playwrights_own())


def _run(*command: str | Path, read: Any = None, expected: tuple[int, ...] = (0,)) -> str:
    """Run a program that reads and writes JSON, and return what it wrote."""
    # A file, because a program that exits before its pipe is empty would lose the rest.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as written:
        ran = subprocess.run(
            command,
            input=json.dumps(read),
            stdout=written,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        if ran.returncode not in expected:
            raise RuntimeError(f"{command[0]} ended with {ran.returncode}: {ran.stderr[-2000:]}")
        written.seek(0)
        return written.read()
