import logging
from contextlib import closing

import pytest

from consentkit import Ledger, Policy
from consentkit.consent.model import Choice
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Entries, Plan
from consentkit.manager.breaker import Breaker
from consentkit.manager.choice import ChoiceContext
from tests.support.sites import managing


class CutLedger(Ledger):
    """The real ledger over a connection that a test cuts."""

    is_cut = False

    def carry_out(self, plan: Plan) -> Entries:
        if self.is_cut:
            raise LedgerUnavailableError("The connection is cut.")
        return super().carry_out(plan)


def test_decisions_that_get_503_are_logged_by_one_line_for_each_state(
    policy: Policy, ledger_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consentkit")
    choice = Choice(categories={"social": True}, vendors={})
    with closing(CutLedger(ledger_url)) as ledger, managing(policy, ledger=ledger) as manager:
        undecided = manager.evaluator.undecided()
        ledger.is_cut = True
        for _ in range(20):
            with pytest.raises(LedgerUnavailableError):
                manager.decide(undecided, choice, ChoiceContext())
        ledger.is_cut = False
        manager.decide(undecided, choice, ChoiceContext())
    lines = [message for message in caplog.messages if "decisions" in message]
    assert [line.partition(".")[0] for line in lines] == [
        "The ledger takes no decisions at the moment",
        "The ledger takes decisions again",
    ]
    assert "(decisions without the ledger: 20)" in lines[1]


def test_while_one_decision_finds_out_whether_the_ledger_answers_others_are_refused_at_once() -> None:
    breaker = Breaker()
    with pytest.raises(LedgerUnavailableError, match="away"), breaker.attempt():
        raise LedgerUnavailableError("away")
    with breaker.attempt():
        with pytest.raises(LedgerUnavailableError, match="does not answer"), breaker.attempt():
            pytest.fail("a second decision waits for the ledger")
        assert breaker.is_open
    with breaker.attempt():
        assert not breaker.is_open
