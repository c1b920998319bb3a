"""What every attacked site has, whatever framework serves its pages: policy, keys, a clock to move, and what the pages show."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from consentkit import ConsentManager, ConsentStatus, Ledger, RequestConsent, load_policy

# Where the environment of a server says that the ledger is, and the files that it serves.
LEDGER, FILES = "ATTACKED_LEDGER", "ATTACKED_FILES"
POLICY = Path(__file__).parents[1] / "security_policy.toml"
# Of no use anywhere else: their public halves stand in security_policy.toml.
PRIVATE_KEYS = {
    "a": "9PJEMMwy6ISNSsmOe9UJ4ZsOvHBxN86z43ZyYQTNJYQ",
    "b": "B61uQope6JTiqIvcW0twXFjzJxYVkI1Kdtaicdkqc2c",
    "c": "_thfObWyDkja-XPKFdBKOdBPB-bOh3578cFe8bR4NaM",
}
KEY = "the-attack-cases-are-signed-with-this-key"
DECIDED = {ConsentStatus.GIVEN, ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN}
PAGE = """<!doctype html><html lang="en"><head><title>Attack me</title></head>
<body><h1>Attack me</h1><p>A page as any other.</p></body></html>"""


class OffsetClock:
    """Real time, moved by as much as `/_clock` said last."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


class Attacked:
    """One site of the policy, with the ledger it shares with the others; what the test-only pages show of them."""

    def __init__(self, site: str, ledger: Ledger) -> None:
        self.clock = OffsetClock()
        self.ledger = ledger
        self.manager = ConsentManager(
            load_policy(POLICY),
            secret_key=KEY,
            ledger=ledger,
            site=site,
            clock=self.clock,
            private_key=PRIVATE_KEYS[site],
        )

    def answers(self, consent: RequestConsent) -> dict[str, Any]:
        """Return what a request's consent says."""
        return {"decided": consent.status in DECIDED, "granted": sorted(consent.granted)}

    def records(self) -> str:
        """Return the records, each as a line of JSON."""
        rows = [json.dumps(asdict(record), default=str) for record in self.ledger.records()]
        return "".join(f"{row}\n" for row in rows)
