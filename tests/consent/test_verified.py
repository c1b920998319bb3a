"""What is remembered of a token says what was written, and what others answered too."""

from dataclasses import replace

import pytest

from consentkit.consent.model import Decision
from tests.consent.test_token import GRANT, REFUSAL, TOKENS


@pytest.mark.parametrize("decision", [GRANT, REFUSAL, replace(REFUSAL, kind="withdrawn")])
def test_a_token_says_what_was_written(decision: Decision) -> None:
    raw = TOKENS.dumps(decision).encode()
    token = TOKENS.read(raw)
    assert token is not None and token.raw == raw and token.decision == decision
    assert (token.subject, token.decided_at, token.changed_at) == (
        decision.subject,
        decision.decided_at,
        decision.changed_at,
    )
    assert token.answer.grants is bool(decision.subject)
    assert token.proof is token.entry is token.ends is None and token.since == token.until == 0


def test_what_several_answer_alike_is_remembered_once() -> None:
    first, second = (
        TOKENS.read(TOKENS.dumps(replace(GRANT, changed_at=GRANT.changed_at + later)).encode())
        for later in (1, 2)
    )
    assert first is not None and second is not None
    assert first.answer is second.answer and first.decision != second.decision


def test_a_decision_may_be_altered_without_touching_what_others_answered() -> None:
    token = TOKENS.read(TOKENS.dumps(GRANT).encode())
    assert token is not None
    token.decision.vendors.clear()  # type: ignore[attr-defined]  # that it is a dict, is nobody's business
    assert token.decision == GRANT
