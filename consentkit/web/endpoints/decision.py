"""The decision's own addresses: asked for, replaced, changed in part, withdrawn."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from consentkit.consent import Choice, Consent
from consentkit.consent import transitions as decisions
from consentkit.errors import InvalidDecisionError, LedgerError, UnknownIdError, UnknownNoticeError
from consentkit.headers import local_path
from consentkit.manager import ConsentManager, Outcome
from consentkit.web.endpoints import body as intake
from consentkit.web.endpoints.choice import SubmittedChoice, read_query
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import Exchange, SiteServices, exchange_of
from consentkit.web.request_consent import RequestConsent

__all__ = ["DecisionEndpoint", "decision_json"]

Handler = Callable[[Request], Awaitable[Response]]


class DecisionEndpoint:
    """Answer at `decision` and `withdraw`: JSON with JSON, a form with the page that it came from."""

    def __init__(self, shared: SiteServices) -> None:
        self._manager: ConsentManager = shared.manager
        self._pages = shared.pages

    def routes(self) -> dict[str, Mapping[str, Handler]]:
        """Give the addresses below the prefix."""
        return {
            "/decision": {
                "GET": self._decision,
                "POST": self._post_decision,
                "PATCH": self._patch_decision,
                "DELETE": self._delete_decision,
            },
            "/withdraw": {"POST": self._withdraw},
        }

    async def _decision(self, request: Request) -> Response:
        return self._tell(exchange_of(request.scope).consent)

    def _tell(self, consent: Consent, **more: object) -> Response:
        headers = {
            "cache-control": "private, no-store",
            "consent-state": self._manager.cookie.companion_value(consent),
        }
        return JSONResponse(decision_json(consent) | more, headers=headers)

    async def _post_decision(self, request: Request) -> Response:
        exchange = exchange_of(request.scope)
        if intake.media_type(request) == intake.FORM:
            answer, _ = intake.form(await intake.body(request))
            await self._settle(exchange, answer, merge=answer.choice == "change")
            return self._back(request, answer)
        if intake.media_type(request) != intake.JSON:
            raise HTTPProblem(415, f"Send {intake.JSON} or {intake.FORM}.")
        answer = intake.json(await intake.body(request), merge=False)
        return self._tell((await self._settle(exchange, answer, merge=False)).consent)

    async def _patch_decision(self, request: Request) -> Response:
        if intake.media_type(request) != intake.JSON:
            raise HTTPProblem(415, f"Send {intake.JSON}.")
        answer = intake.json(await intake.body(request), merge=True)
        return self._tell((await self._settle(exchange_of(request.scope), answer, merge=True)).consent)

    async def _settle(self, exchange: Exchange, answer: SubmittedChoice, *, merge: bool) -> Outcome:
        manager, consent = self._manager, exchange
        context = consent.context(
            choice=answer.choice or ("change" if merge else "api"),
            surface=answer.surface,
            language=self._pages.language(answer.language or consent.language()),
            notice=answer.notice,
        )

        def settle(before: Consent) -> Outcome:
            choice: Choice = answer.named()
            if answer.choice in ("accept_all", "reject_all"):
                choice = decisions.everything(
                    manager.recorder.shown(answer.notice), allowed=answer.choice == "accept_all"
                )
            elif merge and not (choice.categories or choice.vendors):
                manager.recorder.shown(answer.notice)
                return Outcome(consent=before)
            return manager.decide(before, choice, context, merge=merge)

        return await _applied(consent, settle)

    async def _delete_decision(self, request: Request) -> Response:
        try:
            answer, category = read_query(request.scope.get("query_string", b""))
        except InvalidDecisionError as error:
            raise HTTPProblem(400, str(error)) from None
        outcome = await self._take_back(exchange_of(request.scope), answer, category)
        return self._tell(outcome.consent, reference=outcome.reference)

    async def _withdraw(self, request: Request) -> Response:
        if intake.media_type(request) != intake.FORM:
            raise HTTPProblem(415, f"Send {intake.FORM}.")
        answer, category = intake.form(await intake.body(request), withdrawal=True)
        await self._take_back(exchange_of(request.scope), answer, category)
        return self._back(request, answer)

    async def _take_back(self, exchange: Exchange, answer: SubmittedChoice, category: str | None) -> Outcome:
        manager, consent = self._manager, exchange
        context = consent.context(
            choice="withdraw",
            surface=answer.surface,
            language=self._pages.language(answer.language or consent.language()),
            notice=answer.notice,
        )
        return await _applied(consent, lambda before: manager.withdraw(before, category, context))

    def _back(self, request: Request, answer: SubmittedChoice) -> Response:
        root_path = request.scope.get("root_path", "")
        target = local_path(answer.next, root_path + self._manager.prefix)
        return RedirectResponse(target, status_code=303)


def decision_json(consent: Consent) -> dict[str, Any]:
    """Write a consent as the decision address shows it; times in RFC 3339, UTC."""
    return {
        "status": consent.status.value,
        "categories": dict(consent.categories),
        "vendors": dict(consent.vendors),
        "decided_at": _time(consent.decided_at),
        "expires_at": _time(consent.expires_at),
        "notice": consent.notice,
        "gpc": consent.gpc,
        "needs_asking": consent.needs_asking,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


async def _applied(consent: RequestConsent, settle: Callable[[Consent], Outcome]) -> Outcome:
    """Settle a choice, and turn what can go wrong into its answer."""
    try:
        return await consent.aapply(settle)
    except UnknownNoticeError as error:
        raise HTTPProblem(409, str(error)) from None
    except InvalidDecisionError as error:
        raise HTTPProblem(400, str(error)) from None
    except UnknownIdError as error:
        raise HTTPProblem(400, f"The policy has no such {error.kind}.") from None
    except LedgerError:
        raise HTTPProblem(
            503,
            "Your choice cannot be recorded at the moment, so nothing was changed.",
            headers={"retry-after": "5"},
        ) from None
