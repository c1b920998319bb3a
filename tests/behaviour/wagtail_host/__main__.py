"""Serve the site by waitress: `python -m tests.behaviour.wagtail_host`.

The first line of the input has the manager's options. The first line of the output is the port. Each further line of the
input means that a test has seen the first half of the streamed page.
"""

import json
import sys
import threading
from typing import Any

import waitress

from consentkit import ConsentManager, Policy
from tests.support.servers import LOCALHOST
from tests.support.wagtail_site import configure, make_site


def main() -> None:
    options: dict[str, Any] = json.loads(sys.stdin.readline())
    manager = ConsentManager(Policy.model_validate(options.pop("policy")), **options)
    here = "tests.behaviour.wagtail_host"
    configure(
        here,
        CONSENTKIT=manager,
        WAGTAIL_APPEND_SLASH=False,
        WAGTAILEMBEDS_FINDERS=[{"class": f"{here}.finder.Finder"}],
    )
    from django.core.handlers.wsgi import WSGIHandler

    from tests.behaviour.pages import VIDEO
    from tests.behaviour.wagtail_host.models import STREAM, SitePage

    make_site(lambda: SitePage(title="Stride", slug="stride", body=[("film", VIDEO)]))
    server = waitress.create_server(WSGIHandler(), host=LOCALHOST, port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    print(server.effective_port, flush=True)
    for _ in sys.stdin:
        STREAM.seen.set()
    server.close()
    manager.close()


if __name__ == "__main__":
    main()
