from typing import Any

import pytest

from consentkit.web import RequestHead


@pytest.mark.parametrize(
    ("path", "options", "target"),
    [
        ("/a b", {"raw_path": b"/a%20b", "query": b"q=%C3%A4"}, "/a%20b?q=%C3%A4"),
        ("/\u00e4 b", {}, "/%C3%A4%20b"),
        ("/", {"raw_path": None, "query": b""}, "/"),
    ],
)
def test_the_target_is_the_address_as_it_was_asked_for(
    path: str, options: dict[str, Any], target: str
) -> None:
    assert RequestHead("GET", path, [], **options).target == target


@pytest.mark.parametrize(
    ("path", "root_path", "local"),
    [
        ("/consent", "", "/consent"),
        ("/app/consent", "/app", "/consent"),
        ("/app/consent", "/app/", "/consent"),
        ("/consent", "/app", "/consent"),  # a server that takes the root path off
        ("/apples/consent", "/app", "/apples/consent"),
        ("/app", "/app", "/app"),
    ],
)
def test_the_local_path_lies_below_the_root_path(path: str, root_path: str, local: str) -> None:
    assert RequestHead("GET", path, [], root_path=root_path).local_path == local
