"""Start the magazine: `python -m examples.running_magazine --port 8000`."""

import argparse
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from consentkit import ConsentManager, load_policy

from .app import create_app
from .magazine import HERE

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.running_magazine", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--data", type=Path, default=HERE / "data", help="where the key and the ledger are kept"
    )
    options = parser.parse_args(arguments)
    print(f"Stride: http://localhost:{options.port}", flush=True)
    uvicorn.run(build(options.data, options.port), host=options.host, port=options.port, log_level="info")


def build(data: Path, port: int) -> Starlette:
    """Put the site together for development on one port, with its key and ledger under `data`."""
    data.mkdir(parents=True, exist_ok=True)
    # Cookies ignore ports: under a name of its own the site keeps its cookies apart from its neighbours'.
    origins = (f"http://stride.localhost:{port}", f"http://localhost:{port}")
    manager = ConsentManager(
        load_policy(HERE / "consent.toml"),
        secret_key=read_key(data / "secret-key"),
        ledger=f"sqlite:///{(data / 'consent.db').absolute()}",
        site="stride",
        origins={"stride": origins},
        spool=data / "spool",
        stylesheets=["/static/colours.css"],
    )
    return create_app(manager, *origins)


def read_key(path: Path) -> str:
    """Read the signing key, or make one: kept, so that answers survive a restart."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii")


if __name__ == "__main__":
    main()
