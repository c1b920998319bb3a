"""What a release consists of: the same bytes wherever it is built, and a bill of materials that is true."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from trove_classifiers import classifiers

from tools import locks

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = locks.read((ROOT / "requirements/runtime.txt").read_text("utf-8"))
NOT_SOURCES = (
    ".git",
    ".venv",
    ".artifacts",
    ".hypothesis",
    ".*cache",
    ".coverage*",
    "__pycache__",
    "build",
    "dist",
)
UNTRACKED = ("site", "node_modules", "*.mo", "*.db*", "*.key")


def built(clone: Path, *, umask: int = 0o022, **environment: str) -> dict[str, bytes]:
    """Build in a copy of the sources that lies elsewhere, and return the files by their names."""
    shutil.copytree(
        ROOT, clone, ignore=shutil.ignore_patterns(*NOT_SOURCES, *UNTRACKED), copy_function=shutil.copyfile
    )
    for left in ("running_magazine/data/stride-private-key", "wagtail_site/data/secret-key"):
        (clone / "examples" / left).parent.mkdir(exist_ok=True)
        (clone / "examples" / left).write_text("left by a demo", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tools.dist", "dist"],
        cwd=clone,
        env={**os.environ, **environment},
        umask=umask,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = {path.name: path.read_bytes() for path in (clone / "dist").iterdir()}
    digests = dict(reversed(line.split("  ")) for line in done.stdout.splitlines())
    assert digests == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return files


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first") / "clone"


@pytest.fixture(scope="module")
def release(clone: Path) -> dict[str, bytes]:
    return built(clone)


@pytest.fixture(scope="module")
def bill(release: dict[str, bytes]) -> Any:
    (name,) = (name for name in release if name.endswith(".cdx.json"))
    return json.loads(release[name])


def test_another_directory_time_umask_and_hash_seed_give_the_same_bytes(
    release: dict[str, bytes], tmp_path: Path
) -> None:
    again = built(
        tmp_path / "elsewhere" / "copy",
        umask=0o077,
        PYTHONHASHSEED="7",
        SOURCE_DATE_EPOCH="1700000000",
        TZ="Asia/Tokyo",
    )
    assert sorted(Path(name).suffix for name in release) == [".gz", ".json", ".whl"]
    assert again == release


def test_the_sdist_builds_the_very_wheel(release: dict[str, bytes], clone: Path, tmp_path: Path) -> None:
    (sdist,) = (clone / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    for name in (
        "README.md",
        "SECURITY.md",
        "LICENSE",
        "requirements/runtime.txt",
        "tools/dist.py",
        "frontend/react.js",
    ):
        assert (unpacked / name).is_file(), name
    assert not [*unpacked.rglob("*private-key*"), *unpacked.rglob("secret-key")]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"],
        cwd=unpacked,
        check=True,
        capture_output=True,
    )
    (wheel,) = (unpacked / "dist").iterdir()
    assert wheel.read_bytes() == release[wheel.name]
    with zipfile.ZipFile(wheel) as archive:
        assert "consentkit/ui/script/api.d.ts" in archive.namelist()


def test_the_bill_of_materials_holds_to_the_schema_of_cyclonedx(bill: Any) -> None:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
    assert error is None, error
    assert "timestamp" not in bill["metadata"]


def test_the_bill_of_materials_is_about_this_library(bill: Any) -> None:
    about = bill["metadata"]["component"]
    assert (about["name"], about["licenses"]) == ("consentkit", [{"license": {"id": PROJECT["license"]}}])
    assert about["purl"] == f"pkg:pypi/consentkit@{about['version']}"


def test_every_locked_dependency_is_listed_with_version_hashes_and_scope(bill: Any) -> None:
    listed = {
        (one["name"], one["version"], tuple(each["content"] for each in one["hashes"]))
        for one in bill["components"]
    }
    assert listed == {(pin.name, pin.version, pin.hashes) for pin in PINS}
    scopes = {one["name"]: one["scope"] for one in bill["components"]}
    assert {scopes[name] for name in _names(PROJECT["dependencies"])} == {"required"}
    assert scopes["typing-extensions"] == scopes["pydantic-core"] == "required"
    assert {scopes[name] for name in ("fastapi", "psycopg-binary", "rich", "cryptography")} == {"optional"}


def test_the_bill_of_materials_tells_what_requires_what(bill: Any) -> None:
    requires = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    direct = {name.partition("==")[0] for name in requires["consentkit"]}
    extras = [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
    assert direct == _names([*PROJECT["dependencies"], *extras])
    versions = {pin.name: f"{pin.name}=={pin.version}" for pin in PINS}
    assert versions["markupsafe"] in requires[versions["jinja2"]]


def test_what_is_locked_for_run_time_is_what_the_tests_run_with() -> None:
    tested = {
        (pin.name, pin.version) for pin in locks.read((ROOT / "requirements/dev.txt").read_text("utf-8"))
    }
    assert {(pin.name, pin.version) for pin in PINS} <= tested


def test_every_classifier_is_known() -> None:
    assert set(PROJECT["classifiers"]) <= classifiers
    assert PROJECT["classifiers"] == sorted(PROJECT["classifiers"])


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}
