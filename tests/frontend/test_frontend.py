"""The package for front ends: its types with TypeScript, its hook with React, on a server and in a browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import consentkit
from tests.support.browser import until
from tests.support.front import Front
from tests.support.front_ends import FrontEnd, on_two_origins
from tests.support.npm import node_modules, react_modules

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
PACKAGE = json.loads((FRONTEND / "package.json").read_text("utf-8"))
TYPES = (FRONTEND / "index.d.ts").read_text("utf-8")

# Each line after `@ts-expect-error` must be an error, and no other may be one.
USES = """
import type { Answers, Decision } from "consentkit";
import { useConsent } from "consentkit/react";
export function Video() {
  const { isReady, allows, open, decide, change, withdraw, state } = useConsent();
  const answers: Answers = { categories: { analytical: true }, vendors: { youtube: false } };
  // @ts-expect-error
  const wrong: Answers = { categories: { analytical: "yes" } };
  // @ts-expect-error
  decide("accept");
  // @ts-expect-error
  state.length;
  // @ts-expect-error
  window.consentkit.open();
  const buttons: Promise<Decision>[] = [decide("accept_all"), decide(answers), change(answers), withdraw("social"), withdraw()];
  window.consentkit?.ready.then(() => console.log(buttons, wrong));
  document.addEventListener("consentready", () => console.log(window.consentkit?.allows("analytical")));
  document.addEventListener("consentchange", event => console.log(event.detail.expires_at?.length));
  if (!isReady || allows("social", "youtube")) return <p>{state}</p>;
  return <button onClick={open}>Settings</button>;
}
"""
SERVER = """
import { createElement as h } from "react";
import { renderToString } from "react-dom/server";
import { useConsent } from "consentkit/react";
function Answer() {
  const { isReady, state, allows } = useConsent();
  return h("p", null, JSON.stringify([isReady, state, allows("functional")]));
}
console.log(renderToString(h(Answer)).replaceAll("&quot;", '"'));
"""
APP = """
import { createElement as h, StrictMode } from "react";
import { useConsent } from "/frontend/react.js";
const { createRoot } = require("react-dom/client");
window.renders = 0;
function Answer() {
  const { isReady, allows } = useConsent();
  return h("output", null, isReady ? String(allows("analytical")) : "not known");
}
function Video() {
  const { isReady, allows, change, withdraw, open } = useConsent();
  window.renders += 1;
  if (allows("social", "youtube"))
    return h("p", { id: "player" }, "Video", h("button", { id: "end", onClick: () => withdraw() }, "Withdraw"));
  return h("p", null, h("button", { id: "show", onClick: () => change({ vendors: { youtube: true } }) }, "Show"),
    h("button", { id: "open", onClick: open }, "Settings"));
}
createRoot(document.getElementById("root")).render(h(StrictMode, null, h(Answer), h(Video)));
"""
# React comes as CommonJS modules. This is as much of a bundler as they need.
REACT_FILES = {
    "react": "react/cjs/react.development.js",
    "react-dom": "react-dom/cjs/react-dom.development.js",
    "react-dom/client": "react-dom/cjs/react-dom-client.development.js",
    "scheduler": "scheduler/cjs/scheduler.development.js",
}


def bundle() -> str:
    modules = ",\n".join(
        f"{json.dumps(name)}(exports, require, module) {{ {(react_modules() / file).read_text('utf-8')} }}"
        for name, file in REACT_FILES.items()
    )
    return f"""const process = {{ env: {{ NODE_ENV: "development" }} }}, loaded = {{}}, modules = {{ {modules} }};
function require(name) {{
  if (!loaded[name]) modules[name]((loaded[name] = {{ exports: {{}} }}).exports, require, loaded[name]);
  return loaded[name].exports;
}}"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the package and React."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(react_modules(), folder / "node_modules")
    shutil.copytree(FRONTEND, folder / "node_modules/consentkit")
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    (folder / "video.tsx").write_text(USES, "utf-8")
    (folder / "server.js").write_text(SERVER, "utf-8")
    return folder


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FrontEnd, str]]:
    with on_two_origins(tmp_path_factory.mktemp("ledger"), "localhost", "localhost") as site:
        script = {"content-type": "text/javascript"}
        site.pages["/react.js"] = (bundle(), script)
        names = "createElement, StrictMode, useMemo, useSyncExternalStore"
        site.pages["/react.mjs"] = (f'export const {{ {names} }} = require("react");', script)
        site.pages["/frontend/react.js"] = ((FRONTEND / "react.js").read_text("utf-8"), script)
        site.pages["/app.js"] = (APP, script)
        head = (
            '<script type="importmap">{"imports": {"react": "/react.mjs"}}</script><script src="/react.js"></script>'
            '<script type="module" src="/app.js"></script>'
        )
        yield site, site.page(head=head, body='<div id="root"></div>')


def test_the_package_has_the_files_version_and_types_that_it_declares() -> None:
    exported = {path.removeprefix("./") for target in PACKAGE["exports"].values() for path in target.values()}
    assert exported == set(PACKAGE["files"])
    assert exported | {"package.json", "README.md"} == {path.name for path in FRONTEND.iterdir()}
    assert PACKAGE["version"] == consentkit.__version__
    shipped = Path(consentkit.__file__).parent / "ui/script/api.d.ts"
    assert shipped.read_text("utf-8") == TYPES, "Copy the one over the other."


def test_declared_decision_is_what_the_server_sends(front: Front) -> None:
    found = re.search(r"interface Decision \{(.*?)\n\}", TYPES, re.DOTALL)
    assert found
    declared = dict(re.findall(r"^  (\w+\??): (.*);$", found[1], re.MULTILINE))
    client = front.client()
    assert {name for name in declared if "?" not in name} == set(client.get("/consent/decision").json())
    withdrawn = client.delete("/consent/decision").json()
    assert {name.rstrip("?") for name in declared} == set(withdrawn)
    statuses = re.search(r"type Status = (.*);", TYPES)
    assert statuses
    assert set(re.findall(r'"(\w+)"', statuses[1])) == {status.value for status in consentkit.ConsentStatus}


def test_types_fit_their_uses(project: Path) -> None:
    command = ["node", node_modules() / "typescript/bin/tsc", "--noEmit", "--strict", "--jsx", "react-jsx"]
    options = "--module esnext --moduleResolution bundler --target es2022"
    checked = subprocess.run(
        [*command, *options.split(), "video.tsx"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert checked.stdout == "" and checked.returncode == 0


def test_the_hook_passes_the_strict_type_check_and_keeps_its_declaration(project: Path) -> None:
    check = project / "check.ts"
    check.write_text(
        'import { useConsent } from "./node_modules/consentkit/react.js";\n'
        'import type { Consent } from "./node_modules/consentkit/declared.js";\n'
        "export const hook: () => Consent = useConsent;\n",
        "utf-8",
    )
    package = project / "node_modules/consentkit"
    # Out of the way, so that TypeScript reads the code and not what is declared about it.
    (package / "react.d.ts").rename(package / "declared.d.ts")
    try:
        command = [
            "node",
            node_modules() / "typescript/bin/tsc",
            "--noEmit",
            "--strict",
            "--allowJs",
            "--checkJs",
        ]
        options = "--skipLibCheck --maxNodeModuleJsDepth 1 --module nodenext --target es2022 --lib es2023,dom,dom.iterable"
        checked = subprocess.run(
            [*command, *options.split(), "check.ts", package / "react.js"],
            cwd=project,
            capture_output=True,
            text=True,
        )
    finally:
        (package / "declared.d.ts").rename(package / "react.d.ts")
    assert checked.stdout == "" and checked.returncode == 0


def test_server_renders_without_an_answer(project: Path) -> None:
    done = subprocess.run(["node", "server.js"], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "<p>[false,null,false]</p>"


def test_react_renders_each_answer_without_a_reload(app: tuple[FrontEnd, str], page: "Page") -> None:
    site, address = app
    told: list[str] = []
    page.on("console", lambda message: message.type in ("error", "warning") and told.append(message.text))
    page.goto(address)
    answer = page.locator("output")
    expect(answer).to_have_text("false")
    page.evaluate("window.mark = 1")
    page.click("#show")
    expect(page.locator("#player")).to_be_visible()
    page.click("#cookie-consent-accept-all")
    expect(answer).to_have_text("true")
    page.click("#end")
    expect(page.locator("#show")).to_be_visible()
    expect(answer).to_have_text("false")
    before = page.evaluate("window.renders")
    page.evaluate("document.dispatchEvent(new CustomEvent('consentchange'))")
    page.click("#open")
    expect(page.locator("dialog")).to_be_visible()
    assert page.evaluate("window.renders") == before, "rendered again without a change"
    assert page.evaluate("window.mark") == 1 and site.events() == ["given", "changed", "withdrawn"]
    assert told == []


def test_every_component_follows_another_tab(app: tuple[FrontEnd, str], page: "Page") -> None:
    _, address = app
    page.goto(address)
    expect(page.locator("output")).to_have_text("false")
    other = page.context.new_page()
    other.goto(address)
    other.click("#cookie-consent-accept-all")
    expect(page.locator("output")).to_have_text("true")
    until(page, "document.querySelector('#player')")
