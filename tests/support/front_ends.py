"""Front ends that Python does not send: static pages on the site's host, on another port, or on another host."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consentkit import ConsentManager
from consentkit.asgi import ConsentMiddleware
from tests.support.front import KEY, a_policy
from tests.support.servers import free_port, serving

GATED = """<script type="text/plain" data-category="analytical">window.counted = (window.counted || 0) + 1</script>
<template data-category="social" data-vendor="youtube"><p id="video">Video</p></template>"""


def document(loader: str, *, head: str = "", body: str = GATED) -> str:
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Run</title>{head}"
        f'<script src="{loader}" async></script></head><body><main><h1>Run</h1>{body}</main></body></html>'
    )


def static(pages: dict[str, tuple[str, dict[str, str]]]) -> Any:
    """Make an application that knows nothing of consent, as a file server or a CDN."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        html, headers = pages.get(scope["path"], ("<!doctype html><title>-</title>", {}))
        fields = {"content-type": "text/html"} | headers
        raw = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": html.encode()})

    return app


@dataclass
class FrontEnd:
    """A running site, and a server of static pages that load the script from it."""

    base: str
    loader: str
    manager: ConsentManager
    pages: dict[str, tuple[str, dict[str, str]]]

    def put(self, html: str, **headers: str) -> str:
        path = f"/page-{len(self.pages)}"
        self.pages[path] = (html, {name.replace("_", "-"): value for name, value in headers.items()})
        return self.base + path

    def page(self, **parts: str) -> str:
        return self.put(document(self.loader, **parts))

    def events(self) -> list[str]:
        assert self.manager.ledger
        return [record.event for record in self.manager.ledger.records()]


@contextmanager
def on_two_origins(
    folder: Path, page_host: str, api_host: str, *, listed: bool = True, **options: Any
) -> Iterator[FrontEnd]:
    """Run the consent pages and the front end on two origins; options go to the manager."""
    port, page_port = free_port(), free_port()
    api, base = f"http://{api_host}:{port}", f"http://{page_host}:{page_port}"
    usual = {"ledger": f"sqlite:///{folder / f'{port}.db'}", "secret_key": KEY, "site": "stride"}
    origins = {"stride": api, **options.pop("origins", {})}
    policy, frontends = options.pop("policy", None) or a_policy(), [base] if listed else []
    manager = ConsentManager(policy, **(usual | options), origins=origins, frontends=frontends)
    pages: dict[str, tuple[str, dict[str, str]]] = {}
    with ExitStack() as stack:
        stack.callback(manager.close)
        stack.enter_context(serving(ConsentMiddleware(static({}), manager), port=port))
        stack.enter_context(serving(static(pages), port=page_port))
        yield FrontEnd(base, f"{api}/consent/loader.js", manager, pages)


@contextmanager
def behind_one_host(folder: Path) -> Iterator[FrontEnd]:
    """Run a server in front, as nginx, which sends files itself and passes the consent pages on."""
    port = free_port()
    base = f"http://stride.localhost:{port}"
    manager = ConsentManager(
        a_policy(),
        secret_key=KEY,
        ledger=f"sqlite:///{folder / f'{port}.db'}",
        site="stride",
        origins={"stride": base},
    )
    pages: dict[str, tuple[str, dict[str, str]]] = {}
    files, passed_on = static(pages), ConsentMiddleware(static({}), manager)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope.get("path", "").startswith("/consent")
        await (passed_on if is_ours else files)(scope, receive, send)

    with ExitStack() as stack:
        stack.callback(manager.close)
        stack.enter_context(serving(app, port=port))
        yield FrontEnd(base, "/consent/loader.js", manager, pages)
