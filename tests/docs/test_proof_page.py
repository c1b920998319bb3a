import os
import re
import subprocess
from pathlib import Path

import pytest

from consentkit.ledger import ChainRows, snapshot
from consentkit.proof import SigningKey, make_checkpoint, sign_note
from tests.support.chained import execute, three_writers
from tests.support.pages_of_docs import ROOT
from tests.support.records import NOON

PAGE = (ROOT / "docs/explanation/proof.md").read_text("utf-8")
KEY = SigningKey.new("example.org/consent")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    three_writers(url, 6)
    with snapshot(url) as connection:
        note = sign_note(make_checkpoint("x", ChainRows(connection).streams(), at=NOON).to_text(), KEY)
    (tmp_path / "note.txt").write_text(note, "utf-8")
    return tmp_path


def run(title: str, folder: Path) -> list[str]:
    """Run a block of the page in a folder with a ledger and a note."""
    (script,) = re.findall(rf'```bash title="{title}"\n(.*?)```', PAGE, re.DOTALL)
    environment = {**os.environ, "KEY": KEY.public.text}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    return (done.stdout + done.stderr).splitlines()


def test_sqlite3_and_sha256sum_work_out_the_digest_of_a_record(folder: Path) -> None:
    computed, stored = run("digest of a record", folder)
    assert computed == stored
    execute(f"sqlite:///{folder / 'consent.db'}", "UPDATE consentkit_records SET surface = 'api'")
    computed, stored = run("digest of a record", folder)
    assert computed != stored


def test_sha256sum_works_out_the_heads(folder: Path) -> None:
    assert run("heads", folder) == []
    execute(
        f"sqlite:///{folder / 'consent.db'}",
        "UPDATE consentkit_chain SET ref = 900 WHERE stream = '1' AND n = 2",
    )
    assert run("heads", folder) == ["entry 2 of stream 1"]


def test_openssl_verifies_the_signature(folder: Path) -> None:
    assert run("signature", folder) == ["Signature Verified Successfully"]
    note = folder / "note.txt"
    note.write_text(note.read_text("utf-8").replace("stream 1 2", "stream 1 3"), "utf-8")
    assert "Signature Verified Successfully" not in run("signature", folder)
