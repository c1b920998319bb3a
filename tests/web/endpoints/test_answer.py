import pytest

from consentkit.web import Endpoints, Exchange, RequestHead, Response
from tests.support.front import Front

JSON = [(b"content-type", b"application/json")]


def answer(front: Front, method: str, path: str, body: bytes | None = b"") -> tuple[Exchange, object]:
    exchange = Exchange(front.shared, RequestHead(method, path, JSON))
    return exchange, Endpoints(front.shared).respond(exchange, body)


@pytest.mark.parametrize(
    "path", ["/consent", "/consent/policy.json", "/consent/decision", "/consent/nowhere"]
)
def test_what_needs_no_ledger_is_answered_at_once(front: Front, path: str) -> None:
    _, response = answer(front, "GET", path)
    assert isinstance(response, Response)


def test_a_decision_is_a_step_that_the_host_runs_where_it_may_wait(front: Front) -> None:
    exchange, step = answer(front, "POST", "/consent/decision", b'{"choice": "accept_all"}')
    assert callable(step) and front.records() == []
    response = step()
    assert response.status == 200 and [record.event for record in front.records()] == ["given"]
    assert [record.id for record in exchange.consent._announcements] == [front.records()[0].id]
    headers = exchange.start(response.status, response.headers)
    assert headers is not None and len([name for name, _ in headers if name == b"set-cookie"]) == 2


def test_a_step_that_is_refused_answers_with_a_problem(front: Front) -> None:
    _, step = answer(front, "POST", "/consent/decision", b'{"categories": {"elsewhere": true}}')
    assert callable(step)
    assert step().status == 400


def test_a_body_that_is_too_large_is_refused_without_being_read(front: Front) -> None:
    _, response = answer(front, "POST", "/consent/decision", None)
    assert isinstance(response, Response) and response.status == 413
