"""Every seed through every property of its target, without a fuzzer."""

from pathlib import Path

import pytest

from tests.fuzz.targets import SEEDS, TARGETS

FILES = sorted(path for path in SEEDS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SEEDS).as_posix())
def test_every_property_holds_for_a_seed(path: Path) -> None:
    TARGETS[path.parent.name].check(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_seeds_and_holds_for_nothing_and_for_odd_bytes(name: str) -> None:
    assert any(path.parent.name == name for path in FILES)
    for data in (b"", b"\0", b"\xff\xfe", b"\n\n", bytes(range(256))):
        TARGETS[name].check(data)
