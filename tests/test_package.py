"""The package as it is published: what is in the wheel, and that an empty environment can use it."""

import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import consentkit
from tests.support.environments import ROOT, build_wheel, constraints, run
from tests.support.servers import free_port, running

FRAMEWORKS = {"starlette", "fastapi", "flask", "django", "uvicorn"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel, what it depends on, and a server."""
    directory = tmp_path_factory.mktemp("empty") / "venv"
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--python", sys.executable, directory)
    interpreter = directory / "bin" / "python"
    install = (uv, "pip", "install", "--quiet", "--python", interpreter)
    run(*install, "--require-hashes", "-r", ROOT / "requirements/demo.txt")
    run(*install, "--no-deps", wheel)
    return interpreter


def _sources() -> Iterator[str]:
    """Tell what the wheel must hold: the package's files, with compiled catalogues in place of their sources."""
    for path in (ROOT / "consentkit").rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts or path.suffix == ".mo":
            continue
        name = path.relative_to(ROOT)
        yield (name.with_suffix(".mo") if path.suffix == ".po" else name).as_posix()


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"consentkit-{consentkit.__version__}.dist-info/METADATA").decode()
    assert names == set(_sources())
    assert "consentkit/py.typed" in names
    for folder, suffix in {
        "ui/templates": ".html",
        "ui/static": ".css",
        "ui/locales": ".mo",
        "policy/data": "",
        "cli/data": "",
    }.items():
        assert any(name.startswith(f"consentkit/{folder}/") and name.endswith(suffix) for name in names), (
            folder
        )
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_core_imports_no_web_framework() -> None:
    code = "import json, sys; from consentkit import *; import consentkit.manager.manager; print(json.dumps([*sys.modules]))"
    assert not FRAMEWORKS & set(json.loads(run(sys.executable, "-c", code)))


def test_the_core_offers_what_it_lists() -> None:
    for name in consentkit.__all__:
        assert getattr(consentkit, name).__name__ == name
        assert name in dir(consentkit)
    assert not hasattr(consentkit, "ConsentMiddleware")


# LB-01, IN-01
def test_an_empty_environment_serves_the_quickstart(python: Path, tmp_path: Path) -> None:
    for name in ("quickstart.py", "consent.toml"):
        (tmp_path / name).write_bytes((ROOT / "examples" / name).read_bytes())
    port = free_port()
    started = running(
        ["-W", "error", "-m", "uvicorn", "quickstart:app", "--port", str(port)],
        port=port,
        python=python,
        environment={"CONSENT_KEY": "a key that the tests of the wheel sign with"},
        cwd=tmp_path,
    )
    with started as address:
        with urlopen(f"{address}/") as page:
            assert 'id="cookie-consent"' in page.read().decode()
            assert page.headers["set-cookie"] is None
        with urlopen(
            Request(f"{address}/consent/policy", headers={"Accept-Language": "nl, en;q=0.5"})
        ) as page:
            assert "Hardlopen Media BV" in page.read().decode()
        choice = Request(
            f"{address}/consent/decision",
            data=b'{"choice": "accept_all"}',
            headers={"Content-Type": "application/json", "Origin": "http://localhost:8000"},
        )
        with urlopen(choice) as answer:
            assert json.load(answer)["status"] == "given"


def test_an_empty_environment_has_the_catalogues_and_the_types(python: Path, tmp_path: Path) -> None:
    code = (
        "import consentkit, pathlib; from babel.support import Translations as T;"
        "home = pathlib.Path(consentkit.__file__).parent; assert (home / 'py.typed').exists();"
        "found = sorted(home.glob('ui/locales/*/LC_MESSAGES/*.mo')); assert found;"
        "assert all(T(path.open('rb')).info() for path in found); print(home)"
    )
    home = Path(run(python, "-c", code, cwd=tmp_path).strip())
    assert python.parent.parent in home.parents


def test_the_commands_of_the_readme_serve_the_quickstart_from_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(
        ROOT / "consentkit", clone / "consentkit", ignore=shutil.ignore_patterns("__pycache__", "*.mo")
    )
    shutil.copytree(
        ROOT / "examples", clone / "examples", ignore=shutil.ignore_patterns("running_magazine", "*.db")
    )
    for name in ("LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    (tmp_path / "constraints.txt").write_text(constraints())
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    monkeypatch.setenv("PIP_NO_COMPILE", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}")
    (block,) = re.findall(
        r"^```console\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    create, install, *start = [line.removeprefix("$ ") for line in block.splitlines()]
    run("bash", "-ec", f"{create}\n{install}", cwd=clone)
    port = free_port()
    begin = "\n".join([create.partition("&&")[2], *start])
    # In place of the shell, so that ending it ends the server.
    program = begin.replace("uvicorn", "exec uvicorn") + f" --port {port}"
    with (
        running(["-ec", program], port=port, python="bash", cwd=clone) as address,
        urlopen(f"{address}/") as page,
    ):
        assert 'id="cookie-consent"' in page.read().decode()
