"""The sites of the example, for the tests that walk through them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.walking import serving_magazine


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The origins of the three sites, which run until the module ends."""
    with serving_magazine(tmp_path_factory.mktemp("magazine")) as origins:
        yield origins


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the visits of this folder out of the measurement of coverage, which would double what their servers take.

    The tests of each part cover it.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.no_cover)
