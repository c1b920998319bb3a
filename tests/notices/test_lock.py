import tomllib
from datetime import date
from pathlib import Path

import pytest

from consentkit.errors import ConfigurationError
from consentkit.notices.changes import coverage
from consentkit.notices.lock import Lock, add_notices_to_lock
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy

EXAMPLE = (Path(__file__).parents[1] / "consent.example.toml").read_text()
WORDS, OTHER_WORDS = "Count visits and show", "Count visits, and show"
DAYS = [date(2026, 11, day) for day in range(1, 9)]


def policy(*changes: tuple[str, str]) -> Policy:
    """Return the example policy with some texts replaced."""
    text = EXAMPLE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return Policy.model_validate(tomllib.loads(text))


def covered(before: Notice, after: Notice) -> set[str]:
    return set(coverage(before, after, "stride", "https://stride.example").categories)


# VA-05, IN-06
def test_a_lock_holds_each_notice_and_what_it_disclosed() -> None:
    first, changes = add_notices_to_lock(policy(), Lock(), DAYS[0])
    assert changes == ()
    grown = policy(('lifetime = "P90D"', 'lifetime = "P180D"'))
    second, changes = add_notices_to_lock(grown, first, DAYS[1])
    assert [(change.category, change.thing, change.field, change.asks) for change in changes] == [
        ("tracking", "tracker", "lifetime", True)
    ]
    assert [notice.digest for notice in second.notices] == [
        Notice.of(policy()).digest,
        Notice.of(grown).digest,
    ]
    assert [notice.published for notice in second.notices] == ["2026-11-01", "2026-11-02"]
    assert covered(*second.comparable()) == {"analytical", "social"}


def test_locking_the_same_notice_again_changes_nothing() -> None:
    first, _ = add_notices_to_lock(policy(), Lock(), DAYS[0])
    assert add_notices_to_lock(policy(), first, DAYS[1]) == (first, ())
    technical = policy(('origins = { frame = ["https://www.youtube-nocookie.com"] }', ""))
    assert add_notices_to_lock(technical, first, DAYS[1]) == (first, ()), (
        "origins steer the software and tell visitors nothing"
    )


def test_an_earlier_notice_that_returns_becomes_the_last() -> None:
    first, _ = add_notices_to_lock(policy(), Lock(), DAYS[0])
    second, _ = add_notices_to_lock(policy((WORDS, OTHER_WORDS)), first, DAYS[1])
    third, changes = add_notices_to_lock(policy(), second, DAYS[2])
    assert len(third.notices) == 2 and third.notices[-1].digest == first.notices[0].digest
    assert changes[0].asks


def test_an_editorial_change_of_wording_never_asks_visitors_again() -> None:
    first, _ = add_notices_to_lock(policy(), Lock(), DAYS[0])
    comma = policy((WORDS, OTHER_WORDS))
    second, changes = add_notices_to_lock(comma, first, DAYS[1], editorial="a comma")
    assert changes == () and second.editorial[0].reason == "a comma"
    assert covered(*second.comparable()) == {"analytical", "tracking", "social"}
    third, changes = add_notices_to_lock(
        policy((WORDS, OTHER_WORDS), ('lifetime = "P90D"', 'lifetime = "P10D"')), second, DAYS[2]
    )
    assert not any(change.asks for change in changes)
    assert covered(*third.comparable()[::2]) == {"analytical", "tracking", "social"}
    words_back = policy(('lifetime = "P90D"', 'lifetime = "P10D"'))
    back, changes = add_notices_to_lock(words_back, third, DAYS[3])
    assert not any(change.asks for change in changes), "the text that it was"
    assert len(back.comparable()) == 4
    twice = Lock(back.notices, back.editorial * 2)
    assert [notice.facts for notice in twice.comparable()] == [notice.facts for notice in back.comparable()]


@pytest.mark.parametrize(
    "changes",
    [
        [(WORDS, OTHER_WORDS), ('lifetime = "P90D"', 'lifetime = "P180D"')],
        [('name = "Hardlopen Media BV"', 'name = "Another BV"')],
        [('id = "adhub"\nname', 'id = "adhub2"\nname'), ('vendor = "adhub"', 'vendor = "adhub2"')],
        [('role = "processor"', 'role = "controller"')],
    ],
)
def test_a_change_of_more_than_wording_is_not_editorial(changes: list[tuple[str, str]]) -> None:
    first, _ = add_notices_to_lock(policy(), Lock(), DAYS[0])
    with pytest.raises(ConfigurationError, match="More than wording"):
        add_notices_to_lock(policy(*changes), first, DAYS[1], editorial="typo")


def test_an_editorial_change_without_a_changed_text_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="No text changed"):
        add_notices_to_lock(policy(), Lock(), DAYS[0], editorial="typo")
    first, _ = add_notices_to_lock(policy(), Lock(), DAYS[0])
    with pytest.raises(ConfigurationError, match="No text changed"):
        add_notices_to_lock(
            policy(('records_kept = "P24M"', 'records_kept = "P12M"')),
            first,
            DAYS[1],
            editorial="typo",
        )
