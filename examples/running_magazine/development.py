"""The set-up of the demo on one machine: keys, a policy with them, a ledger, and a host name for each site."""

import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette

from consentkit import ConsentManager, Ledger, Policy, load_policy
from consentkit.config import LOCK, check_file, write_lock
from consentkit.handoff import new_pair, public_half
from consentkit.notices import add_notices_to_lock

from .app import create_app
from .magazine import CSP, HERE
from .sisters import create_sister

__all__ = ["SITES", "build", "origins_from", "read_key"]

SITES = ("stride", "trailhead", "shoelab")
"""The ids of the sites, in the order of their ports."""


def origins_from(port: int) -> dict[str, tuple[str, ...]]:
    """Return the origins of each site. Cookies ignore ports, so each site has its own host name; Stride is on localhost too."""
    origins = {site: (f"http://{site}.localhost:{port + place}",) for place, site in enumerate(SITES)}
    return origins | {"stride": (*origins["stride"], f"http://localhost:{port}")}


def build(data: Path, port: int) -> dict[str, Starlette]:
    """Return the three applications by site, with their keys, policy and shared ledger in the folder `data`."""
    data.mkdir(parents=True, exist_ok=True)
    private = {site: read_key(data / f"{site}-private-key", new_pair()[0]) for site in SITES}
    policy = policy_with_keys(data, {site: public_half(key) for site, key in private.items()})
    ledger = Ledger(f"sqlite:///{(data / 'consent.db').absolute()}")
    origins = origins_from(port)
    managers = {
        site: ConsentManager(
            policy,
            secret_key=read_key(data / f"{site}-secret-key", secrets.token_urlsafe(48)),
            private_key=private[site],
            ledger=ledger,
            site=site,
            origins=origins,
            csp=CSP,
            spool=data / f"{site}-spool",
            stylesheets=["/static/colours.css" if site == "stride" else f"/static/{site}.css"],
        )
        for site in SITES
    }
    return {
        site: create_app(manager, *origins[site]) if site == "stride" else create_sister(manager)
        for site, manager in managers.items()
    }


def policy_with_keys(data: Path, public: dict[str, str]) -> Policy:
    """Write the example's policy into `data` with the public keys of this machine, and load it."""
    text = (HERE / "consent.toml").read_text(encoding="utf-8")
    for site, key in public.items():
        origin = f'origin = "https://{site}.example"\n'
        text = text.replace(origin, f'{origin}public_key = "{key}"\n')
    path = data / "consent.toml"
    path.write_text(text, encoding="utf-8")
    lock = data / LOCK
    shutil.copyfile(HERE / LOCK, lock)
    # With keys the notice lists the cookie of the hand-off, which makes it another notice. It is locked before the policy is
    # loaded, which would warn otherwise.
    policy = check_file(path).policy
    assert policy is not None  # noqa: S101 - the example's own policy, with keys that were just made
    write_lock(lock, add_notices_to_lock(policy, policy.lock, datetime.now(UTC).date())[0])
    return load_policy(path)


def read_key(path: Path, new: str) -> str:
    """Return the key in the file, or write the new one there, so that answers and links survive a restart."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(new)
    return new
