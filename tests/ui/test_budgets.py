"""Sizes of the files that pages load, compressed as a server would."""

import brotli
import pytest

from tests.support.front import Front


@pytest.mark.parametrize(("suffix", "budget"), [(".js", 5120), (".css", 2560)])
def test_served_files_stay_within_their_budget(front: Front, suffix: str, budget: int) -> None:
    client = front.client()
    names = [name for name in front.shared.pages.assets if name.endswith(suffix)]
    responses = [client.get(f"/consent/assets/{name}") for name in names]
    assert names and {response.status_code for response in responses} == {200}
    assert sum(len(brotli.compress(response.content)) for response in responses) <= budget
