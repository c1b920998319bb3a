"""The tool that reads, compares and checks the locks."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tools import locks

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
DEV = (REQUIREMENTS / "dev.txt").read_text("utf-8")
OLDER = (REQUIREMENTS / "older.txt").read_text("utf-8")
HASHES = ("a" * 64, "b" * 64)


def lock_of(*entries: str, files: int = 2) -> str:
    return "".join(
        f"{entry} \\\n" + " \\\n".join(f"    --hash=sha256:{one}" for one in HASHES[:files]) + "\n"
        for entry in entries
    )


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_line_of_a_lock_is_read(path: Path) -> None:
    text = path.read_text("utf-8")
    pins = locks.read(text)
    assert "".join(pin.lines for pin in pins) == text
    assert sum(len(pin.hashes) for pin in pins) == text.count("--hash=")


def test_an_entry_has_version_marker_hashes_and_what_requires_it() -> None:
    text = (
        lock_of("colorama==0.4.6 ; sys_platform == 'never'")
        + "    # via\n    #   -c dev.txt\n    #   typer\n"
    )
    (pin,) = locks.read(text)
    assert (pin.name, pin.version, pin.hashes, pin.via) == ("colorama", "0.4.6", HASHES, ("typer",))
    assert not pin.applies
    assert locks.read(lock_of("rich==15.0.0"))[0].applies


@pytest.mark.parametrize("text", ["rich>=15\n", "rich==15.0.0\n", "rich @ file:///somewhere\n"])
def test_an_entry_without_version_or_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected name==version with hashes, found 'rich"):
        locks.read(text)


def test_changes_list_what_was_added_removed_and_renewed() -> None:
    old = locks.read(lock_of("a==1", "b==1", "c==1", "d==1"))
    new = locks.read(lock_of("b==2", "d==1", "e==1")) + locks.read(lock_of("c==1", files=1))
    assert list(locks.changes(old, new)) == ["- a 1", "  b 1 -> 2", "  c 1: other files", "+ e 1"]
    assert not list(locks.changes(old, old))


def test_an_environment_is_compared_with_what_applies_to_it() -> None:
    pins = locks.read(lock_of("a==1", "b==1", "c==1 ; sys_platform == 'never'"))
    assert not list(locks.differences(pins, {"a": "1", "b": "1", "pip": "23.2", "consentkit": "0.1"}))
    assert list(locks.differences(pins, {"a": "2", "z": "3"})) == [
        "a: locked 1, installed 2",
        "b: locked 1, installed not at all",
        "z: locked not at all, installed 3",
    ]


def test_the_environment_of_the_tests_knows_its_versions() -> None:
    assert locks.installed_here()["hypothesis"] == version("hypothesis")


def test_an_older_release_takes_the_place_of_the_locked_one() -> None:
    older = {pin.name: pin.version for pin in locks.read(OLDER)}
    before = {pin.name: pin.version for pin in locks.read(DEV)}
    after = {pin.name: pin.version for pin in locks.read(locks.set_back(DEV, OLDER))}
    assert after == before | older != before


@pytest.mark.parametrize("older", ["coverage==9999", "unheard-of==1"])
def test_only_a_newer_release_is_set_back(older: str) -> None:
    with pytest.raises(ValueError, match=r"Expected a newer [\w-]+ than \d+ in the lock"):
        locks.set_back(DEV, lock_of(older))


def test_the_commands_write_print_and_tell_by_their_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock, older = tmp_path / "dev.txt", tmp_path / "older.txt"
    lock.write_text(lock_of("hypothesis==9999"), "utf-8")
    older.write_text(lock_of("hypothesis==1"), "utf-8")
    assert locks.main(["installed", str(lock)]) == 1
    assert f"hypothesis: locked 9999, installed {version('hypothesis')}\n" in capsys.readouterr().out
    assert locks.main(["older", str(lock), str(older)]) == 0
    assert "hypothesis==1 " in lock.read_text("utf-8")
    assert locks.main(["changes", str(tmp_path), str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing changed.\n"
    assert locks.main(["changes", str(REQUIREMENTS), str(tmp_path)]) == 0
    assert re.search(r"^- uv \S+$", capsys.readouterr().out, re.MULTILINE)
    assert locks.main(["renew"]) == 2
    assert "installed LOCK" in capsys.readouterr().err
