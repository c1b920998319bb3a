"""The application that the attack cases in tests/security are played against: a site with a few test-only pages."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import Ledger
from consentkit.asgi import ConsentMiddleware, get_consent
from tests.support.attacked import PAGE, Attacked


class AttackedSite(Attacked):
    """An attacked site as a Starlette application."""

    def __init__(self, site: str, ledger: Ledger) -> None:
        super().__init__(site, ledger)
        self.app = Starlette(
            routes=[
                Route("/", self.page),
                Route("/api/data", self.data),
                Route("/_probe", self.probe),
                Route("/_clock", self.move_clock, methods=["POST"]),
                Route("/_ledger", self.dump),
                Route("/sets", self.sets),
            ]
        )
        self.app.add_middleware(ConsentMiddleware, manager=self.manager)

    async def page(self, request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def data(self, request: Request) -> Response:
        return JSONResponse({"distance": 10})

    async def probe(self, request: Request) -> Response:
        return JSONResponse(self.answers(get_consent(request)))

    async def move_clock(self, request: Request) -> Response:
        self.clock.offset = float(request.query_params["offset"])
        return PlainTextResponse("moved")

    def dump(self, request: Request) -> Response:
        return PlainTextResponse(self.records())

    async def sets(self, request: Request) -> Response:
        answer = PlainTextResponse("set")
        answer.set_cookie("lang", "en")
        answer.set_cookie("_ga", "1")
        return answer
