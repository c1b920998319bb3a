"""One request as it is read: which of them the application may see as they are."""

import pytest

from consentkit.web.visit import Visit
from tests.support.front import COOKIE, EVERYTHING, Front, Headers

TAGGED = (b"if-none-match", b'"1~ck.0"')


# IN-03
@pytest.mark.parametrize(
    ("sent", "clean"),
    [
        ([], True),
        ([(b"accept", b"*/*"), (b"user-agent", b"x")], True),
        ([(b"cookie", b"session=1")], True),
        ([(b"cookie", b"session=1"), (b"cookie", b"theme=1")], False),
        ([(b"cookie", b"_ga=1")], False),
        ([TAGGED], False),
        ([TAGGED, (b"cookie", b"session=1")], False),
        ([(b"cookie", b"session=1"), TAGGED], False),
        ([(b"if-match", b'"1~ck.0"')], False),
        ([(b"cookie", b"a=" + b"b" * 5000)], False),
    ],
)
def test_a_request_with_nothing_of_ours_or_to_hide_is_left_as_it_is(
    front: Front, sent: Headers, clean: bool
) -> None:
    for _ in range(2):  # read, and remembered
        visit = Visit()
        assert not visit.begin(front.shared, {}, sent)
        assert visit.clean is clean


@pytest.mark.parametrize("more", [b"", b"; session=1", b"; _ga=1"])
def test_a_cookie_is_read_the_first_time_as_the_second(front: Front, more: bytes) -> None:
    token = front.cookie(front.client(), **EVERYTHING).encode()
    for _ in range(2):
        visit = Visit()
        if visit.begin(front.shared, {}, [(b"cookie", COOKIE.encode() + b"=" + token + more)]):
            visit.look_up()
        assert visit.allows("social")


@pytest.mark.parametrize("order", [1, -1])
def test_a_cookie_in_a_field_of_its_own_is_read(front: Front, order: int) -> None:
    token = front.cookie(front.client(), **EVERYTHING).encode()
    sent = [(b"cookie", b"session=1"), (b"cookie", COOKIE.encode() + b"=" + token)]
    visit = Visit()
    if visit.begin(front.shared, {}, sent[::order]):
        visit.look_up()
    assert visit.allows("social")
