import json

from consentkit.web.endpoints.problem import HTTPProblem


def test_a_refusal_is_a_problem_document_that_no_cache_keeps() -> None:
    response = HTTPProblem(
        503, "Not now.", headers={"retry-after": "5"}, more={"category": "social"}
    ).response()
    assert response.status == 503
    assert response.headers == [
        (b"retry-after", b"5"),
        (b"cache-control", b"private, no-store"),
        (b"content-length", b"%d" % len(response.body)),
        (b"content-type", b"application/problem+json"),
    ]
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Not now.",
        "category": "social",
    }


def test_problem_document_without_a_sentence_has_no_detail() -> None:
    problem = HTTPProblem(404)
    assert "detail" not in json.loads(problem.response().body)
    assert str(problem) == "404 "
