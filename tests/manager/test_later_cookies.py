from consentkit.manager.later_cookies import LaterCookies
from tests.support.records import a_record

FIRST, SECOND = (100, 0), (100, 1)


def test_cookie_is_due_until_a_look_up_was_answered_that_began_after_it_was_sent() -> None:
    cookies = LaterCookies(10)
    cookies.ask("visitor", FIRST)
    sent = cookies.sent(["visitor", "other"])
    assert sent == {"visitor": FIRST, "other": (0, 0)}
    cookies.ask("visitor", SECOND)
    assert cookies.is_due("visitor", FIRST, None)
    cookies.note_look_up(sent)
    assert not cookies.is_due("visitor", FIRST, None) and cookies.is_due("visitor", SECOND, None)


def test_older_cookie_that_is_sent_again_changes_nothing() -> None:
    cookies = LaterCookies(10)
    cookies.ask("visitor", SECOND)
    cookies.ask("visitor", FIRST)
    assert cookies.sent(["visitor"]) == {"visitor": SECOND}


def test_cookie_is_not_due_whose_record_or_a_later_one_is_known() -> None:
    cookies = LaterCookies(10)
    record = a_record(changed_at=100, revision=0)
    assert not cookies.is_due("visitor", FIRST, record)
    assert cookies.is_due("visitor", SECOND, record)


def test_cookie_of_a_pseudonym_that_has_ended_is_not_due() -> None:
    over = a_record(status="withdrawn", changed_at=50)
    assert over.ends_subject and not LaterCookies(10).is_due("visitor", SECOND, over)


def test_pseudonyms_are_bounded() -> None:
    cookies = LaterCookies(4)
    for number in range(20):
        cookies.ask(f"{number}", FIRST)
        cookies.note_look_up(cookies.sent([f"{number}"]))
    assert len(cookies._sent) <= 4 and len(cookies._looked_up) <= 4
