import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import consentkit
from consentkit.ui.script_modules import ModuleError, join_modules
from tests.support.npm import node_modules

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = Path(consentkit.__file__).parent / "ui/script"
SOURCES = {path.name: path.read_text("utf-8") for path in SCRIPT.glob("*.js")}
ALONE = ("carry.js", "debug.js", "frames.js", "handoff.js", "loader.js")
REMOTE = {name.removeprefix("remote_"): source for name, source in SOURCES.items() if "remote_" in name}
MODULES = {name: source for name, source in SOURCES.items() if name not in ALONE and "remote_" not in name}
# What pages load as one script, the variant for pages of another origin, and the scripts of one module.
SCRIPTS = {"consent.js": MODULES, "remote.js": MODULES | REMOTE} | {
    name: {"main.js": SOURCES[name]} for name in ALONE
}
CHECKS = "--noEmit --allowJs --checkJs --strict --noUnusedLocals --noImplicitReturns"
BROWSERS = "--target es2022 --module es2022 --lib es2023,dom,dom.iterable"
# The tokens of every source on standard input, as TypeScript reads them, without comments, imports and `export`.
TOKENS = """
const ts = require(process.argv[1]), tokens = (node, file) =>
  ts.isImportDeclaration(node) || ts.isJSDoc(node) || node.kind == ts.SyntaxKind.ExportKeyword ? [] :
  node.getChildCount(file) ? node.getChildren(file).flatMap(child => tokens(child, file)) : [node.getText(file)];
const sources = JSON.parse(require("fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify(sources.map(source => {
  const file = ts.createSourceFile("source.js", source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  return tokens(file, file).filter(Boolean);
})));
"""


@pytest.fixture(scope="module")
def typescript() -> Path:
    return node_modules() / "typescript/bin/tsc"


def test_modules_pass_the_strict_type_check(typescript: Path) -> None:
    command = [
        "node",
        typescript,
        *CHECKS.split(),
        *BROWSERS.split(),
        *(SCRIPT / name for name in SOURCES if name == "main.js" or name not in MODULES),
        SCRIPT / "types.d.ts",
    ]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.stdout == "" and checked.returncode == 0


def test_every_module_asks_for_the_type_check() -> None:
    assert [name for name, source in SOURCES.items() if not source.startswith("// @ts-check\n")] == []


@pytest.mark.parametrize("sources", SCRIPTS.values(), ids=SCRIPTS)
def test_joined_script_has_exactly_the_tokens_of_its_modules(
    typescript: Path, sources: dict[str, str]
) -> None:
    library = typescript.parents[1] / "lib/typescript.js"
    read = subprocess.run(
        ["node", "-e", TOKENS, library],
        input=json.dumps([join_modules(sources), *sources.values()]),
        capture_output=True,
        text=True,
        check=True,
    )
    joined, *modules = ("\n".join(["", *tokens, ""]) for tokens in json.loads(read.stdout))
    for tokens in modules:
        assert joined.count(tokens) == 1
        joined = joined.replace(tokens, "\n")
    assert joined.split() == ["(", "(", ")", "=>", "{", '"use', 'strict"', ";", "}", ")", "(", ")", ";"]


def test_variants_export_what_their_modules_export() -> None:
    exports = re.compile(r"^export (.*?)(?: =|;| \{)", re.MULTILINE)
    for name, source in REMOTE.items():
        assert exports.findall(source) == exports.findall(SOURCES[name]), name


def test_module_follows_the_modules_that_it_imports() -> None:
    joined = join_modules(
        {
            "main.js": 'import { first } from "./first.js";\nimport "./second.js";\nstart(first);\n',
            "second.js": 'import {\n  first,\n  third,\n} from "./first.js";\nlisten(first, third);\n',
            "first.js": "export const first = 1;\nexport async function third() {\n  return first;\n}\n",
        }
    )
    assert joined == (
        '(() => {\n"use strict";\n'
        "const first=1;async function third(){return first;}\nlisten(first,third);start(first);})();\n"
    )


@pytest.mark.parametrize(
    ("source", "joined"),
    [
        ("// A comment.\n  // Another one.\nstart();\n", "start();"),
        ("/**\n * @param {string} name\n */\nfunction start(name) {}\n", "function start(name){}\n"),
        ("const tag = /** @type {any} */ (document.head);\n", "const tag=(document.head);"),
        ("start(\"a , b\", 'c = d', `e ${f} + g`);\n", "start(\"a , b\",'c = d',`e ${f} + g`);"),
        ("start(a + +b, c - -d, e + f - g);\n", "start(a + +b,c - -d,e+f-g);"),
        ("start(a &&\n  b ?\n  [c] : { d });\n", "start(a&&b?[c]:{d});"),
        ("start = () => {}\n  stop();\n", "start=()=>{}\nstop();"),
    ],
)
def test_comments_and_needless_spaces_are_dropped(source: str, joined: str) -> None:
    assert join_modules({"main.js": source}) == f'(() => {{\n"use strict";\n{joined}}})();\n'


@pytest.mark.parametrize(
    "statement",
    [
        "export default start;",
        "export { start };",
        'export * from "./other.js";',
        "export const { first, second } = start();",
        'import other from "./other.js";',
        'import * as other from "./other.js";',
        'import { first as second } from "./other.js";',
        'import { first } from "other";',
        'const other = await import("./other.js");',
        "start(import.meta.url);",
        "const [first, second] = start();",
        "let first, second;",
    ],
)
def test_statement_that_cannot_be_joined_is_an_error(statement: str) -> None:
    with pytest.raises(ModuleError, match=r"^main\.js: Expected .*, found: ") as error:
        join_modules({"main.js": statement + "\n", "other.js": "export const first = 1;\n"})
    assert str(error.value).partition("found: ")[2] in statement


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({}, "main.js, which does not exist."),
        ({"main.js": 'import "./gates.js";\n'}, "main.js imports gates.js, which does not exist."),
        ({"main.js": "", "gates.js": ""}, "gates.js is not imported by any module. Import or delete it."),
        (
            {"main.js": 'import { open } from "./gates.js";\n', "gates.js": "const open = 1;\n"},
            "main.js: gates.js does not export open. Export or rename it.",
        ),
        (
            {"main.js": 'import "./gates.js";\nlet state = 1;\n', "gates.js": "export function state() {}\n"},
            "gates.js and main.js both declare state. Rename one.",
        ),
        (
            {
                "main.js": 'import "./gates.js";\n',
                "gates.js": 'import "./state.js";\n',
                "state.js": 'import "./gates.js";\n',
            },
            "Modules import each other in a circle: gates.js imports state.js imports gates.js.",
        ),
    ],
)
def test_modules_that_do_not_fit_together_are_an_error(sources: dict[str, str], message: str) -> None:
    with pytest.raises(ModuleError) as error:
        join_modules(sources)
    assert str(error.value) == message


# In one scope, a name that hides a global of the browser would hide it from every other module too.
def test_no_top_level_name_is_a_global_of_the_browser(page: "Page") -> None:
    declared = [
        name
        for source in SOURCES.values()
        for name in re.findall(r"^(?:export )?(?:const|let|(?:async )?function) (\w+)", source, re.MULTILINE)
    ]
    assert len(declared) > 50
    assert page.evaluate("names => names.filter(name => name in window)", declared) == []
