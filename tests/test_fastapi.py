from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from consentkit import ConsentManager, Policy
from consentkit.errors import UnknownIdError
from consentkit.fastapi import ConsentDep, ConsentMiddleware, get_consent, require_consent
from consentkit.testing import grant
from consentkit.web.request_consent import RequestConsent
from tests.conftest import Clock
from tests.support.sites import managing


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


@pytest.fixture
def app(manager: ConsentManager) -> FastAPI:
    app = FastAPI()
    app.add_middleware(ConsentMiddleware, manager=manager)

    @app.get("/granted")
    async def granted(consent: ConsentDep) -> list[str]:
        return sorted(consent.granted)

    @app.post("/granted")
    def decide(consent: ConsentDep) -> dict[str, str]:
        consent.decide({"analytical": True})
        return {"status": consent.status}

    @app.get("/comments", dependencies=[require_consent("social", vendor="youtube")])
    async def comments() -> str:
        return "Nice run."

    @app.get("/likes")
    async def likes(consent: Annotated[RequestConsent, require_consent("social")]) -> str:
        return consent.status

    @app.websocket("/live", dependencies=[require_consent("social")])
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(str(get_consent(websocket).allows("social")))
        await websocket.close()

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="https://stride.example") as client:
        yield client


@pytest.mark.parametrize("depth", [0, 1])
def test_a_misspelt_id_of_a_dependency_stops_the_start(manager: ConsentManager, depth: int) -> None:
    async def reader(consent: Annotated[RequestConsent, require_consent("soicial")]) -> str:
        return consent.status

    app, inner = FastAPI(), FastAPI()
    if depth:
        inner.get("/likes", dependencies=[Depends(reader)])(lambda: "none")
        app.mount("/far", inner)
    else:
        app.get("/likes", dependencies=[require_consent("soicial")])(lambda: "none")
    app.add_middleware(ConsentMiddleware, manager=manager)
    with pytest.raises(UnknownIdError, match="soicial") as error, TestClient(app):
        pass
    assert "'/likes'" in error.value.__notes__[0]


def test_a_route_asks_the_consent_by_a_dependency(client: TestClient, manager: ConsentManager) -> None:
    assert client.get("/granted").json() == []
    grant(client, manager, "analytical", vendors=("youtube",))
    assert client.get("/granted").json() == ["analytical"]


def test_a_sync_route_decides_in_its_thread(client: TestClient) -> None:
    answer = client.post("/granted")
    assert answer.json() == {"status": "given"} and "__Host-consent" in answer.headers["set-cookie"]
    assert client.get("/granted").json() == ["analytical"]


# LB-10
def test_a_route_that_needs_consent_is_refused_with_a_problem_document(
    client: TestClient, manager: ConsentManager
) -> None:
    refused = client.get("/comments")
    assert refused.status_code == 403 and refused.headers["content-type"] == "application/problem+json"
    assert (refused.json()["category"], refused.json()["vendor"]) == ("social", "youtube")
    assert client.get("/likes").json()["preferences"] == "/consent"
    page = client.get("/comments", headers={"accept": "text/html"})
    assert page.status_code == 403 and "<html" in page.text and "YouTube" in page.text
    grant(client, manager, "social")
    assert client.get("/comments").json() == "Nice run." and client.get("/likes").json() == "given"


def test_a_websocket_that_needs_consent_is_closed(client: TestClient, manager: ConsentManager) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/live"):
        pass
    assert closed.value.code == 1008
    grant(client, manager, "social")
    with client.websocket_connect("/live") as websocket:
        assert websocket.receive_text() == "True"


def test_the_openapi_document_shows_what_a_route_needs(app: FastAPI) -> None:
    document = app.openapi()
    assert document["paths"]["/comments"]["get"]["security"] == [{"consent-social-youtube": []}]
    assert document["paths"]["/likes"]["get"]["security"] == [{"consent-social": []}]
    scheme = document["components"]["securitySchemes"]["consent-social"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "cookie", "__Host-consent")
    assert "security" not in document["paths"]["/granted"]["get"]
