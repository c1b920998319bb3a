"""The addresses at which visitors and programs read, replace, change and withdraw the decision."""

from datetime import datetime
from typing import Any

from consentkit.consent import Choice, Consent, transitions
from consentkit.errors import InvalidDecisionError, LedgerError, UnknownIdError, UnknownNoticeError
from consentkit.headers import local_path, own_path
from consentkit.manager import Outcome
from consentkit.ui import Confirmation
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.body import FORM, JSON, media_type, parsed, required_body
from consentkit.web.endpoints.choice import SubmittedChoice, read_form, read_json, read_query
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import Exchange
from consentkit.web.request_consent import Choose
from consentkit.web.response import Response, json_document, redirect
from consentkit.web.services import SiteServices

__all__ = ["DecisionEndpoint", "decision_json"]


class DecisionEndpoint:
    """Responds at `decision` and `withdraw`: to JSON with JSON, to a form with a redirect to the page it came from."""

    def __init__(self, site: SiteServices) -> None:
        self._site = site
        self._manager = site.manager
        self._pages = site.pages

    def routes(self) -> dict[str, Methods]:
        """Return the endpoints by their address below the prefix."""
        return {
            "/decision": {
                "GET": self._show,
                "POST": self._replace,
                "PATCH": self._change,
                "DELETE": self._withdraw_by_query,
            },
            "/withdraw": {"POST": self._withdraw_by_form},
        }

    def _show(self, exchange: Exchange, body: bytes | None) -> Answer:
        return self._document(exchange.consent.consent)

    def _document(self, consent: Consent, **more: object) -> Response:
        headers = {
            "cache-control": "private, no-store",
            "consent-state": self._manager.cookie.companion_value(consent),
        }
        return json_document(decision_json(consent, self._manager.policy.regime.id) | more, headers=headers)

    def _replace(self, exchange: Exchange, body: bytes | None) -> Answer:
        kind = media_type(exchange.head)
        if kind == FORM:
            content = required_body(body)
            submitted, _ = parsed(lambda: read_form(content))
            choose = self._choose(exchange, submitted, merge=submitted.choice == "change")
            return lambda: self._back_after(exchange, choose, submitted)
        if kind != JSON:
            raise HTTPProblem(415, f"The body must be {JSON} or {FORM}.")
        return self._from_json(exchange, body, merge=False)

    def _change(self, exchange: Exchange, body: bytes | None) -> Answer:
        if media_type(exchange.head) != JSON:
            raise HTTPProblem(415, f"The body must be {JSON}.")
        return self._from_json(exchange, body, merge=True)

    def _from_json(self, exchange: Exchange, body: bytes | None, *, merge: bool) -> Answer:
        content = required_body(body)
        submitted = parsed(lambda: read_json(content, merge=merge))
        choose = self._choose(exchange, submitted, merge=merge)
        return lambda: self._done(exchange, choose, submitted)

    def _choose(self, exchange: Exchange, submitted: SubmittedChoice, *, merge: bool) -> Choose:
        """Return a function that records a submitted choice."""
        manager = self._manager
        context = exchange.consent._choice_context(
            choice=submitted.choice or ("change" if merge else "api"),
            surface=submitted.surface,
            language=self._language(exchange, submitted),
            notice=submitted.notice,
            rendering=submitted.rendering,
            submission=submitted.submission,
        )

        def choose(before: Consent) -> Outcome:
            choice: Choice = submitted.as_choice()
            if submitted.choice in ("accept_all", "reject_all"):
                choice = transitions.everything(
                    manager.recorder.shown(submitted.notice), allowed=submitted.choice == "accept_all"
                )
            elif merge and not (choice.categories or choice.vendors):
                manager.recorder.shown(submitted.notice)  # raises UnknownNoticeError
                return Outcome(consent=before)
            return manager.decide(before, choice, context, merge=merge)

        return choose

    def _withdraw_by_query(self, exchange: Exchange, body: bytes | None) -> Answer:
        submitted, category = parsed(lambda: read_query(exchange.head.query))
        choose = self._withdrawal(exchange, submitted, category)

        return lambda: self._done(exchange, choose, submitted, is_withdrawal=True)

    def _withdraw_by_form(self, exchange: Exchange, body: bytes | None) -> Answer:
        if media_type(exchange.head) != FORM:
            raise HTTPProblem(415, f"The body must be {FORM}.")
        content = required_body(body)
        submitted, category = parsed(lambda: read_form(content, withdrawal=True))
        choose = self._withdrawal(exchange, submitted, category)
        return lambda: self._back_after(exchange, choose, submitted, is_withdrawal=True)

    def _withdrawal(self, exchange: Exchange, submitted: SubmittedChoice, category: str | None) -> Choose:
        """Return a function that records a withdrawal."""
        context = exchange.consent._choice_context(
            choice="withdraw",
            surface=submitted.surface,
            language=self._language(exchange, submitted),
            notice=submitted.notice,
            rendering=submitted.rendering,
            submission=submitted.submission,
        )
        return lambda before: self._manager.withdraw(before, category, context)

    def _language(self, exchange: Exchange, submitted: SubmittedChoice) -> str:
        return self._pages.language(submitted.language or exchange.consent._language())

    def _done(
        self, exchange: Exchange, choose: Choose, submitted: SubmittedChoice, *, is_withdrawal: bool = False
    ) -> Response:
        """Record a choice, and return it as JSON with the code from which the script confirms it."""
        outcome, confirmation = self._apply(exchange, choose, submitted, is_withdrawal=is_withdrawal)
        reference = {"reference": outcome.reference} if is_withdrawal else {}
        response = self._document(outcome.consent, **reference)
        response.add("consent-outcome", confirmation.code)
        return response

    def _back_after(
        self, exchange: Exchange, choose: Choose, submitted: SubmittedChoice, *, is_withdrawal: bool = False
    ) -> Response:
        """Record a choice, and redirect to the page that it came from, which confirms it."""
        _, confirmation = self._apply(exchange, choose, submitted, is_withdrawal=is_withdrawal)
        back = local_path(submitted.next, own_path(exchange.head.root_path, self._manager.prefix))
        return self._site.confirm(redirect(back), confirmation)

    def _apply(
        self, exchange: Exchange, choose: Choose, submitted: SubmittedChoice, *, is_withdrawal: bool
    ) -> tuple[Outcome, Confirmation]:
        before = exchange.consent._current()
        outcome = _applied(exchange, choose)
        choice = "withdraw" if is_withdrawal else "always" if submitted.surface == "embed" else "answer"
        confirmation = Confirmation.of_choice(
            choice, before, outcome.consent, self._manager.policy, recorded=outcome.record is not None
        )
        return outcome, confirmation


def decision_json(consent: Consent, regime: str) -> dict[str, Any]:
    """Return a consent under a regime as the decision address shows it, with times in UTC (RFC 3339)."""
    return {
        "status": consent.status.value,
        "categories": dict(consent.categories),
        "vendors": dict(consent.vendors),
        "decided_at": _time(consent.decided_at),
        "expires_at": _time(consent.expires_at),
        "notice": consent.notice,
        "gpc": consent.gpc,
        "needs_asking": consent.needs_asking,
        "regime": regime,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _applied(exchange: Exchange, choose: Choose) -> Outcome:
    """Record a choice and return its outcome; blocks for the ledger.

    Raises:
        HTTPProblem: the choice is invalid (400, 409), or the ledger cannot record it (503).
    """
    try:
        return exchange.consent._apply(choose)
    except UnknownNoticeError as error:
        raise HTTPProblem(409, str(error)) from None
    except InvalidDecisionError as error:
        raise HTTPProblem(400, str(error)) from None
    except UnknownIdError as error:
        raise HTTPProblem(400, f"The policy has no such {error.kind}.") from None
    except LedgerError:
        raise HTTPProblem(
            503,
            "We couldn't save your choice, so nothing was changed. Please try again later.",
            headers={"retry-after": "5"},
        ) from None
