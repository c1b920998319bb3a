"""The sites of the example, for the tests that walk through them."""

from collections.abc import Iterator

import pytest

from tests.support.walking import serving_magazine


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The origins of the three sites, which run until the module ends."""
    with serving_magazine(tmp_path_factory.mktemp("magazine")) as origins:
        yield origins
