import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from consentkit import Ledger, load_policy
from consentkit.cli.browser import VARIABLE
from consentkit.cli.policy import app
from consentkit.config import write_lock
from consentkit.ledger import SentWords
from consentkit.notices import Notice, add_notices_to_lock
from consentkit.proof import SigningKey
from tests.support.chained import execute
from tests.support.records import NOON, a_record
from tests.support.walking import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

EXAMPLE = Path(__file__).parent.parent / "consent.example.toml"
KEY = SigningKey.new("example.org/consent")
BANNER = '<section id="cookie-consent" class="cookie-consent"><p>May we?</p><script>document.title = 1</script></section>'


def run(*arguments: str, **environment: str) -> Result:
    period = ("--from", "2026-08-01", "--to", "2026-08-31")
    return CliRunner().invoke(app, ["dossier", *period, *arguments], env=environment)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example policy with two versions of its notice, a few decisions, and a key."""
    folder = tmp_path / "site"
    folder.mkdir()
    toml = folder / "consent.toml"
    shutil.copy(EXAMPLE, toml)
    ledger = Ledger(f"sqlite:///{folder / 'consent.db'}", lock_timeout=30)
    for number, day in enumerate((date(2026, 8, 1), date(2026, 8, 20))):
        if number:
            toml.write_text(toml.read_text("utf-8").replace('"P90D"', '"P180D"'), "utf-8")
        policy = load_policy(toml)
        write_lock(folder / "consent.lock", add_notices_to_lock(policy, policy.lock, day)[0])
        notice = Notice.of(policy)
        sent = SentWords.of(
            notice=notice.digest, site="stride", language="en", surface="banner", version="1", html=BANNER
        )
        ledger.store_notice(notice.digest, dict(notice.content or {}))
        ledger.store_renderings([sent])
        shown = {"notice": notice.digest, "rendering": sent.id, "at": NOON - (1 - number) * 14 * 86_400}
        ledger.append(a_record(**shown), a_record(event="withdrawn", status="withdrawn", **shown))
    ledger.close()
    (folder / "key").write_text(f"{KEY.text}\n", "ascii")
    return folder


def given(site: Path) -> tuple[str, ...]:
    return ("--ledger", f"sqlite:///{site / 'consent.db'}", "--policy", str(site / "consent.toml"))


def unpacked(file: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(file.parent / "unpacked")
    (folder,) = (file.parent / "unpacked").iterdir()
    return folder


def test_a_signed_dossier_opens_without_a_network_and_holds_no_secret(site: Path, page: "Page") -> None:
    file = site / "dossier.zip"
    with ThreadPoolExecutor(1) as other_thread:  # the fixture's browser keeps an event loop on this one
        done = other_thread.submit(run, *given(site), "--key", str(site / "key"), "-o", str(file)).result()
    assert done.exit_code == 0, done.output
    assert "2 notices, 2 renderings, 4 pictures, 4 records" in done.output
    folder = unpacked(file)
    assert (folder / "cover.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "notices/02/words/001-stride-banner-en-390.png").stat().st_size > 3000
    assert "kept for P180D (was P90D). Visitors who granted tracking will be asked again." in (
        folder / "changes.html"
    ).read_text("utf-8")
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    secrets = (KEY.text.encode(), base64.b64encode(KEY._seed), KEY._seed, str(site).encode())
    for path in folder.rglob("*"):
        assert not path.is_file() or not any(secret in path.read_bytes() for secret in secrets), path
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on(
        "request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None
    )
    page.context.set_offline(True)
    for name in (
        "index.html",
        "notices/02/index.html",
        "changes.html",
        "exemptions.html",
        "ledger/index.html",
        "verification/index.html",
    ):
        page.goto((folder / name).as_uri())
        assert violations(page) == [] and said == [], name
    page.goto((folder / "notices/02/index.html").as_uri())
    loaded = "image => (image.loading = 'eager', image.decode().then(() => image.naturalWidth))"
    assert page.locator("img").first.evaluate(loaded) == 390
    page.get_by_role("link", name="Banner").click()
    assert page.frame_locator("iframe").get_by_text("May we?").is_visible()
    assert page.title() == "Banner in “en” on stride"


def test_a_dossier_is_compared_with_a_checkpoint(site: Path) -> None:
    key, note, file = site / "key", site / "note", site / "dossier.zip"
    ledger = given(site)[:2]
    made = CliRunner().invoke(app, ["ledger", "checkpoint", *ledger, "--key", str(key), "--to", str(note)])
    assert made.exit_code == 0
    compared = (*given(site), "--no-pictures", "--against", str(note), "-o", str(file))
    assert run(*compared, "--key", str(key)).exit_code == 0
    folder = unpacked(file)
    assert (folder / "verification/checkpoint.txt").read_bytes() == note.read_bytes()
    assert json.loads((folder / "verification/result.json").read_text("ascii"))["against"]["size"] == 4
    assert "the controller left them out" in (folder / "index.html").read_text("utf-8")
    assert run(*compared, CONSENTKIT_CHECKPOINT_KEY=KEY.text).exit_code == 0
    unsigned = run(*compared, "--public-key", KEY.public.text)
    assert unsigned.exit_code == 0 and "It is not signed" in unsigned.output
    assert "--against needs --public-key" in run(*compared).output


def test_what_is_not_as_it_was_stored_is_told_in_the_dossier_and_by_the_exit_code(site: Path) -> None:
    ledger = Ledger(given(site)[1], lock_timeout=30)
    ledger.append(*(a_record(at=NOON, site=f"site{number}") for number in range(20)))
    ledger.close()
    execute(given(site)[1], "UPDATE consentkit_records SET gpc = 1")
    done = run(*given(site), "--no-pictures", "--figures-only", "-o", str(site / "d.zip"))
    assert done.exit_code == 1 and "and 14 more" in done.output and "d.zip" in done.output
    assert not (unpacked(site / "d.zip") / "ledger/records.jsonl").exists()


def test_the_file_is_named_by_the_period_and_the_same_each_time(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    name = site / "consent-dossier-2026-08-01-to-2026-08-31-stride.zip"
    made = []
    for _ in range(2):
        done = run(*given(site), "--no-pictures", "--site", "stride", SOURCE_DATE_EPOCH=str(NOON))
        assert done.exit_code == 0, done.output
        made.append(name.read_bytes())
    assert made[0] == made[1]


def test_without_a_browser_there_are_pages_and_a_reason(site: Path) -> None:
    with ThreadPoolExecutor(1) as other_thread:
        done = other_thread.submit(
            run, *given(site), "-o", str(site / "d.zip"), **{VARIABLE: "/nowhere/chromium"}
        ).result()
    assert done.exit_code == 0 and "There will be no pictures: no browser could be started" in done.stderr
    cover = (unpacked(site / "d.zip") / "index.html").read_text("utf-8")
    assert "There are no pictures and no PDF of this page: there was no browser" in cover


def test_what_cannot_be_made_is_explained(site: Path) -> None:
    arguments = (*given(site), "--no-pictures", "-o", str(site / "d.zip"))

    def refused(*more: str, **environment: str) -> str:
        done = run(*arguments, *more, **environment)
        assert done.exit_code == 2 and not (site / "d.zip").exists(), done.output
        return " ".join(done.output.split())

    assert "is before --from" in refused("--from", "2026-09-01")
    assert "--site: " in refused("--site", "elsewhere")
    assert "No such file" in refused("--key", str(site / "no key"))
    assert "There is no ledger" in refused("--ledger", f"sqlite:///{site / 'no.db'}")
    assert "No such file" in refused("--output", str(site / "no" / "d.zip"))
    assert not [path for path in site.iterdir() if path.name.startswith(".d.zip")]
    toml = site / "consent.toml"
    toml.write_text(f"# {KEY.text}\n{toml.read_text('utf-8')}", "utf-8")
    assert "consent.toml holds a private key or a password" in refused()
    toml.write_text(toml.read_text("utf-8").replace(KEY.text, "postgresql://site:hunter2@db/site"), "utf-8")
    assert "holds a private key or a password" in refused(
        "--ledger", "postgresql://site:hunter2@127.0.0.1:1/site"
    )
    for address in ("postgresql://site:h%40nter2@127.0.0.1:1/site", "postgresql:///site?password=h%40nter2"):
        toml.write_text(toml.read_text("utf-8") + f"\n# {address}\n", "utf-8")
        assert "holds a private key or a password" in refused("--ledger", address)
    broken = run(*given(site)[:3], str(site / "consent.lock"))
    assert broken.exit_code == 1


def test_progress_is_shown_on_a_terminal(site: Path) -> None:
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    period = ["--from", "2026-08-01", "--to", "2026-08-31", "--no-pictures", "-o", str(site / "d.zip")]
    command = [
        sys.executable,
        "-c",
        script,
        sys.executable,
        "-m",
        "consentkit",
        "dossier",
        *given(site),
        *period,
    ]
    done = subprocess.run(
        command, capture_output=True, env=os.environ | {"TERM": "xterm"}, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0 and b"Reading" in done.stdout and b"2 renderings" in done.stdout
