"""What is loaded of ours: how large it is as it is served (DESIGN.md section 9), and that the script's types hold."""

import subprocess
import sys
from pathlib import Path

import brotli
import pytest

import consentkit
from tests.support.front import Front

PACKAGE = Path(consentkit.__file__).parent
ROOT = PACKAGE.parent


@pytest.mark.parametrize(("suffix", "budget"), [(".js", 4096), (".css", 1536)])
def test_all_files_of_a_kind_together_are_small(front: Front, suffix: str, budget: int) -> None:
    client = front.client()
    names = [name for name in front.shared.pages.assets if name.endswith(suffix)]
    served = [client.get(f"/consent/assets/{name}") for name in names]
    assert names and {answer.status_code for answer in served} == {200}
    assert sum(len(brotli.compress(answer.content)) for answer in served) <= budget


def test_the_script_is_served_without_comments_and_otherwise_as_it_stands(front: Front) -> None:
    (served,) = (
        content.decode() for name, (_, content) in front.shared.pages.assets.items() if name.endswith(".js")
    )
    source = (PACKAGE / "ui/static/consent.js").read_text("utf-8")
    assert "/*" not in served and not any(line.startswith("//") for line in served.splitlines())
    left = [line.strip() for line in served.splitlines()]
    written = [line.strip() for line in source.splitlines()]
    plain = [
        line for line in written if line and not line.startswith(("//", "*", "/*")) and "/**" not in line
    ]
    assert [line for line in left if line in plain] == plain


def test_the_types_of_the_script_hold() -> None:
    compiler = subprocess.run(
        [ROOT / "tools/typescript", Path(sys.prefix) / "typescript"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    options = "--noEmit --allowJs --checkJs --strict --noUnusedLocals --noImplicitReturns --target es2022"
    checked = subprocess.run(
        [
            "node",
            compiler,
            *options.split(),
            "--lib",
            "es2023,dom,dom.iterable",
            PACKAGE / "ui/static/consent.js",
        ],
        capture_output=True,
        text=True,
    )
    assert checked.stdout == "" and checked.returncode == 0
