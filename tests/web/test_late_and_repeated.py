"""Decisions that come late, twice, or to a server with another clock, as HTTP carries them."""

import re
from collections.abc import Iterator

import pytest

from consentkit import Ledger
from consentkit.consent import Choice
from consentkit.manager.choice import ChoiceContext
from consentkit.notices import Notice
from tests.conftest import Clock
from tests.support.front import COOKIE, EVERYTHING, Front, a_policy, fronting, set_cookies

DECISION = "/consent/decision"


@pytest.fixture
def front(clock: Clock, ledger_url: str) -> Iterator[Front]:
    with fronting(clock, ledger=Ledger(ledger_url)) as front:
        yield front


@pytest.fixture
def behind(clock: Clock, ledger_url: str) -> Iterator[Front]:
    """The same site on a server whose clock is a minute and a half behind."""
    late = Clock.__new__(Clock)
    late.seconds = clock.seconds - 90
    with fronting(late, ledger=Ledger(ledger_url)) as front:
        yield front


def sent(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"}


def submission_in(html: str) -> str:
    found = re.search(r'name="submission" value="([^"]+)"', html)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("method", ["DELETE", "withdraw", "reject_all"])
def test_server_whose_clock_is_behind_withdraws_by_the_signed_subject(
    front: Front, behind: Front, clock: Clock, method: str
) -> None:
    with front.client() as client:
        token = front.cookie(client, **EVERYTHING)
    with behind.client() as client:
        if method == "DELETE":
            answer = client.delete(DECISION, headers=sent(token))
            assert answer.status_code == 200 and answer.json()["status"] == "withdrawn"
            assert answer.json()["reference"] == token.split(".")[6]
        elif method == "withdraw":
            answer = client.post("/consent/withdraw", data={"next": "/"}, headers=sent(token))
            assert answer.status_code == 303
        else:
            answer = client.post(DECISION, json={"choice": "reject_all"}, headers=sent(token))
            assert answer.json()["status"] == "refused"
        assert any(line.startswith(f"{COOKIE}=") for line in set_cookies(answer))
        assert not any("unchanged" in line for line in set_cookies(answer))
    clock.advance(60)
    with front.client() as client:
        assert not any(client.get(DECISION, headers=sent(token)).json()["vendors"].values())
    assert [record.ends_subject for record in front.ledger.history(token.split(".")[6])] == [False, True]


def test_grant_under_a_notice_that_is_not_known_here_can_be_withdrawn(clock: Clock, ledger_url: str) -> None:
    newer = a_policy(records_kept="P12M")
    with fronting(clock, newer, ledger=Ledger(ledger_url)) as front, front.client() as client:
        token = front.cookie(client, **EVERYTHING)
    # The notice is gone from this ledger, and the policy of this server is an older one.
    other = ledger_url.replace("consent.db", "other.db")
    with fronting(clock, ledger=Ledger(other)) as front, front.client() as client:
        assert Notice.of(newer).digest not in front.manager.evaluator.notices
        answer = client.delete(DECISION, headers=sent(token))
        assert answer.json()["status"] == "withdrawn"
        (record,) = front.records()
        assert (record.subject, record.status) == (token.split(".")[6], "withdrawn")


@pytest.mark.parametrize("gap", [0, 5])
def test_answer_counts_at_once_in_another_process_and_a_change_there_keeps_it(
    front: Front, clock: Clock, ledger_url: str, gap: int
) -> None:
    with fronting(clock, ledger=Ledger(ledger_url)) as other, front.client() as here, other.client() as there:
        token = front.cookie(here, tracking=True)
        assert there.get(DECISION, headers=sent(token)).json()["categories"]["tracking"] is True
        clock.advance(gap)
        changed = here.patch(DECISION, json={"categories": {"analytical": True}}, headers=sent(token))
        (token,) = (line.partition("=")[2].partition(";")[0] for line in set_cookies(changed)[:1])
        shown = there.get(DECISION, headers=sent(token)).json()["categories"]
        assert shown["tracking"] and shown["analytical"]
        answer = there.patch(DECISION, json={"categories": {"social": True}}, headers=sent(token))
        assert {name for name, allowed in answer.json()["categories"].items() if allowed} >= {
            "tracking",
            "analytical",
            "social",
        }


def test_second_click_on_a_form_adds_no_record_and_no_second_pseudonym(front: Front) -> None:
    with front.client() as client:
        page = client.get("/").text
        form = {"choice": "accept_all", "next": "/", "submission": submission_in(page)}
        first = client.post(DECISION, data=form, headers={"Cookie": ""})
        client.cookies.clear()
        second = client.post(DECISION, data=form)
        assert first.status_code == second.status_code == 303
        assert set_cookies(first) == set_cookies(second) != []
    assert len(front.records()) == 1


def test_each_rendering_has_a_submission_of_its_own(front: Front) -> None:
    with front.client() as client:
        texts = [submission_in(client.get(path).text) for path in ("/", "/", "/consent")]
    assert len(set(texts)) == 3 and all(len(text) == 16 for text in texts)


def test_submission_longer_than_64_characters_is_refused(front: Front) -> None:
    with front.client() as client:
        answer = client.post(DECISION, json={"choice": "accept_all", "submission": "x" * 65})
    assert answer.status_code == 400 and not front.records()


def test_retried_withdrawal_returns_the_same_reference(front: Front) -> None:
    with front.client() as client:
        token = front.cookie(client, **EVERYTHING)
        client.cookies.clear()
        answers = [client.delete(f"{DECISION}?submission=a", headers=sent(token)) for _ in range(2)]
    assert [answer.json()["reference"] for answer in answers] == [token.split(".")[6]] * 2
    assert len(front.records()) == 2


def test_page_narrows_a_cookie_that_was_narrowed_elsewhere_and_never_widens_one(
    front: Front, ledger_url: str, clock: Clock
) -> None:
    with front.client() as client:
        narrow = front.cookie(client, social=True)
        wide = client.patch(DECISION, json={"categories": EVERYTHING}, headers=sent(narrow))
        broad = set_cookies(wide)[0].split(";")[0].partition("=")[2]
    with fronting(clock, ledger=Ledger(ledger_url)) as elsewhere, elsewhere.client() as client:
        page = client.get("/", headers=sent(narrow))
        assert page.status_code == 200 and not set_cookies(page)
        before = front.manager.evaluator.evaluate(
            front.manager.cookie.newest([broad.encode()], clock()).decision, clock()
        )  # type: ignore[union-attr]
        clock.advance(1)
        less = Choice(categories={"tracking": False}, vendors={})
        front.manager.decide(before, less, ChoiceContext(), merge=True)
        clock.advance(60)
        client.cookies.clear()
        page = client.get("/", headers=sent(broad))
        rewritten = [line for line in set_cookies(page) if line.startswith(f"{COOKIE}=")]
        assert (len(rewritten) == 1 and ".3." in rewritten[0]) or ".5." in rewritten[0]
