"""Run what a page of the documentation shows: Python, policies, commands, and requests to a site."""

import json
import re
import shlex
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
from flask import Flask
from starlette.testclient import TestClient
from typer.testing import CliRunner

from consentkit import ConsentManager, load_policy
from consentkit.cli.policy import app as command_line
from tests.support.sites import site

ROOT = Path(__file__).parents[2]
KEY = "a key that the tests of the documentation sign with"
_BLOCK = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```$', re.DOTALL | re.MULTILINE)
# Commands of other programs, which blocks may show and which are not run.
_OTHERS = frozenset(
    {"pip", "python", "python3", ".", "export", "git", "make", "psql", "createdb", "pytest", "cd", "mkdir"}
)


@dataclass(frozen=True)
class Block:
    """One code block of a page; `line` counts from 1."""

    language: str
    title: str
    code: str
    line: int


def blocks_of(page: str) -> list[Block]:
    """Return the code blocks of a page in their order."""
    return [
        Block(found[2], found[3] or "", textwrap.dedent(found[4]), page[: found.start()].count("\n") + 1)
        for found in _BLOCK.finditer(page)
    ]


class Reader:
    """Do what a page says, in a separate directory that contains the example's policy."""

    def __init__(self, directory: Path, clock: Callable[[], float], running: ExitStack) -> None:
        self.directory = directory
        self._running = running
        self._cli = CliRunner()
        self._clients: dict[str, TestClient | httpx2.Client] = {}
        self._answer: httpx2.Response | None = None
        (directory / "consent.toml").write_bytes((ROOT / "tests/consent.example.toml").read_bytes())
        manager = ConsentManager(
            load_policy(directory / "consent.toml"),
            secret_key=KEY,
            ledger=f"sqlite:///{directory / 'consent.db'}",
            site="stride",
            clock=clock,
        )
        running.callback(manager.close)
        # Litestar looks up the names of annotations in the module of a handler.
        module = sys.modules["app"] = ModuleType("app")
        running.callback(sys.modules.pop, "app", None)
        self.names: dict[str, Any] = vars(module)
        self.names |= {"manager": manager, "app": site(manager)}

    def read(self, block: Block) -> None:
        """Run one block, and check the output that it shows."""
        getattr(self, f"_{block.language}", self._nothing)(block)

    def _nothing(self, block: Block) -> None:
        # `py` is Python of frameworks that may not be installed. A test of its page runs `bash`.
        assert block.language in {
            "py",
            "bash",
            "text",
            "html",
            "css",
            "javascript",
            "jsx",
            "apache",
            "nginx",
            "sql",
            "yaml",
        }, block

    def _python(self, block: Block) -> None:
        where = self.directory / (block.title or "page.py")
        if block.title:
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(block.code, "utf-8")
        before = self.names["manager"]
        if not block.title.startswith("test"):
            self.names["__file__"] = str(where)
            # Empty lines in front, so that line numbers in errors are those of the page.
            exec(compile("\n" * block.line + block.code, str(where), "exec"), self.names)  # noqa: S102 - ours
            self._clients.clear()
            extensions = getattr(self.names["app"], "extensions", {})
            if "consentkit" in extensions:
                self._running.callback(extensions["consentkit"].close)
        if self.names["manager"] is not before:
            self._running.callback(self.names["manager"].close)

    def _toml(self, block: Block) -> None:
        fragment = tomllib.loads(block.code)
        if block.title and block.title != "consent.toml":
            return
        kept = self.directory / "consent.toml"
        is_whole = "controller" in fragment and "sites" in fragment
        whole = fragment if is_whole else merged(tomllib.loads(kept.read_text("utf-8")), fragment)
        tried = kept if block.title else self.directory / "tried.toml"
        tried.write_text(dumped(whole), "utf-8")
        load_policy(tried)

    def _console(self, block: Block) -> None:
        for command, shown in commands_of(block.code):
            program, *arguments = shlex.split(command, comments=True)
            if program == "consentkit":
                if arguments[0] == "init":  # the page starts in an empty directory
                    (self.directory / "consent.toml").unlink()
                result = self._cli.invoke(command_line, arguments)
                assert isinstance(result.exception, SystemExit | None), result.exception
                output = result.output
            elif program == "uvicorn":
                self._start(arguments[0])
                continue
            elif program == "flask":
                output = self._run_flask(arguments)
            elif program == "curl":
                output = self._fetch(arguments)
            else:
                assert program in _OTHERS or "=" in program, command
                if program == "make":
                    assert f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text("utf-8")
                continue
            if shown:
                assert agrees(shown, output), f"{command}\n--- shown\n{shown}\n--- is\n{output}"

    def _start(self, name: str) -> None:
        module, _, attribute = name.partition(":")
        path = self.directory / f"{module}.py"
        self._python(Block("python", path.name, path.read_text("utf-8"), 0))
        self.names["app"] = self.names[attribute]

    def _run_flask(self, arguments: list[str]) -> str:
        """Run `flask --app NAME …`: `run` loads the application, and `consent …` is a command of it."""
        option, name, *command = arguments
        assert option == "--app", arguments
        if command == ["run"]:
            self._start(f"{name}:app")
            return ""
        result = self.names["app"].test_cli_runner().invoke(args=command)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return str(result.output)

    def client(self, origin: str) -> TestClient | httpx2.Client:
        """Return the client for a site at this origin; it keeps its cookies from block to block."""
        if origin not in self._clients:
            app = self.names["app"]
            self._clients[origin] = (
                httpx2.Client(transport=httpx2.WSGITransport(app=app), base_url=origin)
                if isinstance(app, Flask)
                else TestClient(app, base_url=origin, follow_redirects=False)
            )
        return self._clients[origin]

    def _fetch(self, arguments: list[str]) -> str:
        method, headers, body, address, whole = "", {"accept": "*/*"}, None, "", False
        words = iter(arguments)
        for word in words:
            if word in ("-X", "--request"):
                method = next(words)
            elif word in ("-H", "--header"):
                name, _, value = next(words).partition(": ")
                headers[name.lower()] = value
            elif word in ("-d", "--data"):
                body = next(words)
                headers.setdefault("content-type", "application/x-www-form-urlencoded")
            elif word in ("-b", "-c"):
                next(words)
            elif word == "-i":
                whole = True
            elif word != "-s":
                address = word
        scheme, _, rest = address.partition("://")
        host, _, path = rest.partition("/")
        client = self.client(f"{scheme}://{host}")
        answer = client.request(
            method or ("POST" if body else "GET"), f"/{path}", headers=headers, content=body
        )
        head = "".join(f"{name}: {value}\n" for name, value in answer.headers.multi_items())
        return (
            f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}\n{head}\n"
            if whole
            else ""
        ) + answer.text

    def _http(self, block: Block) -> None:
        head, _, body = block.code.partition("\n\n")
        first, *fields = head.splitlines()
        method, path = first.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        client = self.client("https://stride.example")
        self._answer = client.request(method, path, headers=headers, content=body.strip() or None)
        assert self._answer.status_code < 500, self._answer.text

    def _json(self, block: Block) -> None:
        """Compare with the response to the request before, if there is one; else only parse."""
        shown = json.loads(block.code)
        if self._answer is not None and not block.title:
            assert matches(shown, self._answer.json()), f"shown {shown}\nis {self._answer.json()}"


def commands_of(code: str) -> Iterator[tuple[str, str]]:
    """Pair each command after `$ ` with the output that is shown below it."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, shown = part.replace("\\\n", " ").partition("\n")
        yield command, shown.strip()


def agrees(shown: str, output: str) -> bool:
    """Return whether the shown lines are printed in that order; `…` stands for any text or lines."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    wanted = [" ".join(line.split()) for line in shown.splitlines() if line.strip() not in ("", "…")]
    return all(any(_fits(want, line) for line in lines) for want in wanted)


def _fits(shown: str, output: str) -> bool:
    pattern = shown.replace("[", "[[]").replace("…", "*").replace("?", "[?]")
    return fnmatchcase(output, re.sub(r"\*+", "*", pattern))


def matches(shown: Any, output: Any) -> bool:
    """Return whether JSON is as shown; `…` in a string stands for any text, and a key `…` for more keys."""
    if isinstance(shown, dict) and isinstance(output, dict):
        keys = set(shown) - {"…"}
        return (keys == set(output) or ("…" in shown and keys <= set(output))) and all(
            matches(shown[key], output[key]) for key in keys
        )
    if isinstance(shown, list) and isinstance(output, list):
        return len(shown) == len(output) and all(map(matches, shown, output))
    if isinstance(shown, str) and isinstance(output, str) and "…" in shown:
        return _fits(shown, output)
    return bool(shown == output)


def merged(whole: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """Return a policy with a fragment added; a row updates the row with the same id or name."""
    result = dict(whole)
    for key, value in fragment.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            name = "name" if key == "trackers" else "id"
            rows = {row[name]: row for row in result.get(key, ())}
            for row in value:
                rows[row[name]] = rows.get(row[name], {}) | row
            result[key] = list(rows.values())
        elif isinstance(value, dict):
            result[key] = result.get(key, {}) | value
        else:
            result[key] = value
    return result


def dumped(policy: dict[str, Any]) -> str:
    """Return a policy as TOML, with every row as an inline table."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in policy.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(child)}" for key, child in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)
