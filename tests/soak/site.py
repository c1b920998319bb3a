"""A site for long runs: one process of a publisher's site over a ledger that others share.

It answers at `/` with a page, at `/granted` with what the visitor's consent allows, and at `/health` with the manager's health.
Every record that a listener is told about is added to a file, so that whoever runs the site can count.
"""

import argparse
import logging
import os
import warnings

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, Ledger, Record, Webhook, load_policy
from consentkit.asgi import ConsentMiddleware, get_consent
from tests.support.receiver import SECRET
from tests.support.servers import LOCALHOST
from tests.support.told import EXAMPLE_FILE

KEY = "a key of the long runs that guards nothing else"
ORIGIN = "http://localhost"
COOKIE = "consent"
PAGE = "<!doctype html><html lang=en><head><title>Run</title></head><body><main><h1>Run</h1></main></body></html>"


def application(manager: ConsentManager) -> ConsentMiddleware:
    """Return the site, wrapped in the middleware."""

    async def home(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def granted(request: Request) -> Response:
        consent = get_consent(request)
        on = [vendor for vendor, allowed in consent.vendors.items() if allowed]
        return JSONResponse({"granted": sorted(consent.granted), "vendors": on, "status": consent.status})

    def health(request: Request) -> Response:
        return JSONResponse(manager.health())

    routes = [Route("/", home), Route("/granted", granted), Route("/health", health)]
    return ConsentMiddleware(Starlette(routes=routes), manager)


def main() -> None:
    """Serve the site until the process is asked to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--told", required=True, help="file to which the ids of told records are added")
    parser.add_argument("--log", required=True, help="file for the log")
    parser.add_argument(
        "--spool", help="directory for records that wait; by default the library's own choice"
    )
    parser.add_argument("--recheck", type=float, default=0.5)
    parser.add_argument("--lock-timeout", type=float, default=0.5)
    parser.add_argument("--webhook", help="address that is told of withdrawals")
    parser.add_argument("--prune", action="store_true", help="remove old records")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.basicConfig(filename=options.log, level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    told = os.open(options.told, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    manager = ConsentManager(
        load_policy(EXAMPLE_FILE),
        secret_key=KEY,
        ledger=Ledger(options.url, lock_timeout=options.lock_timeout),
        site="stride",
        origins={"stride": ORIGIN},
        recheck=options.recheck,
        spool=options.spool,
        webhooks=[Webhook(options.webhook, SECRET, vendors=["youtube"])] if options.webhook else (),
        prune=options.prune,
    )

    @manager.on_change
    def tell(record: Record) -> None:
        os.write(told, f"{record.id}\n".encode())

    uvicorn.run(
        application(manager),
        host=LOCALHOST,
        port=options.port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )


if __name__ == "__main__":
    main()
