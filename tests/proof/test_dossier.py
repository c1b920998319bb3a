import csv
import hashlib
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from consentkit import Ledger, Policy
from consentkit.cli.change_report import describe_changes
from consentkit.ledger import ChainRows, SentWords, snapshot
from consentkit.notices import EditorialChange, Lock, Notice
from consentkit.policy import Duration
from consentkit.proof import (
    Checkpoint,
    DossierRequest,
    DossierResult,
    Finding,
    Period,
    Retention,
    SigningKey,
    Verification,
    make_checkpoint,
    sign_note,
    with_report,
    write_dossier,
)
from consentkit.proof.dossier.build import _installed
from consentkit.proof.dossier.ledger_pages import (
    unworded,
    verification_box,
    verification_page,
    verification_words,
)
from consentkit.proof.dossier.page import day, moment, page, slug, table, texts
from consentkit.proof.dossier.period import Tally, Use, digest_of, versions_in_force
from consentkit.proof.dossier.rows import basis, data_kept, duration, safeguard
from consentkit.proof.dossier.words import dressed, heading_of
from tests.support.chained import execute
from tests.support.policies import add
from tests.support.policies import policy as a_policy
from tests.support.postgres import Server
from tests.support.records import NOON, a_record

HOSTILE = '</pre></iframe>"><script>document.title = "run"</script><img src=x onerror="document.title=1">'
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


class Camera:
    """A camera whose pictures tell what they were taken of."""

    version = "Camera 1"

    def picture(self, html: str, width: int) -> bytes | None:
        return None if "no picture" in html else f"{width}: {html}".encode()

    def pdf(self, html: str) -> bytes | None:
        return b"%PDF /CreationDate (D:20991231235959+00'00')"


class Made(NamedTuple):
    result: DossierResult
    files: dict[str, bytes]
    folder: str

    def text(self, name: str) -> str:
        return self.files[name].decode()


def make(url: str, policy: Policy, **changes: Any) -> Made:
    """Write a dossier into memory."""
    values: dict[str, Any] = {
        "policy": policy,
        "notices": (Notice.of(policy),),
        "lock": Lock(),
        "configuration": {},
        "period": AUGUST,
        "at": NOON,
        "key": None,
        "note": None,
        "has_records": True,
        "stylesheet": "p { color: red }",
        "camera": None,
        "no_camera": "there was none.",
        "describe": describe_changes,
    }
    progress = changes.pop("progress", lambda *_: None)
    file = io.BytesIO()
    with snapshot(url) as connection:
        result = write_dossier(connection, file, DossierRequest(**(values | changes)), progress)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        folder = names[0].partition("/")[0]
        files = {name.removeprefix(f"{folder}/"): archive.read(name) for name in names}
        assert len({entry.date_time for entry in archive.infolist()}) == 1
    return Made(result, files, folder)


def published(policy: Policy, day: str) -> Notice:
    notice = Notice.of(policy)
    return Notice(notice.digest, notice.facts, published=day)


def words(notice: Notice, html: str = "<p>May we?</p>", **changes: str) -> SentWords:
    values = {
        "notice": notice.digest,
        "site": "stride",
        "language": "en",
        "surface": "banner",
        "version": "1",
    }
    return SentWords.of(**(values | {"html": html} | changes))


@pytest.fixture
def small() -> Policy:
    return a_policy()


@pytest.fixture
def longer(small: Policy) -> Policy:
    """The same policy with a third party more."""
    return a_policy(add("vendors", id="other", category="analytical"))


def fill(url: str, policy: Policy) -> Notice:
    ledger, notice = Ledger(url, lock_timeout=30), Notice.of(policy)
    sent = words(notice)
    ledger.store_notice(notice.digest, dict(notice.content or {}))
    ledger.store_renderings([sent, words(notice, "<html><head></head>no picture", surface="policy")])
    shown = {"notice": notice.digest, "rendering": sent.id}
    ledger.append(
        a_record(at=NOON - 40 * 86_400, **shown),
        a_record(at=NOON, **shown),
        a_record(at=NOON, site="other", **shown),
        a_record(at=NOON + 86_400, **shown),
    )
    counted = {"event": "refused", "language": "en", "surface": "banner", "choice": "reject_all", "count": 7}
    ledger.add_counts([{"hour": NOON, "site": "stride", "notice": notice.digest, **counted}])
    ledger.close()
    return notice


def test_a_dossier_has_the_records_of_whole_days_and_what_was_only_counted(
    ledger_url: str, small: Policy
) -> None:
    notice = fill(ledger_url, small)
    made = make(ledger_url, small)
    records = [json.loads(line) for line in made.text("ledger/records.jsonl").splitlines()]
    assert [record["site"] for record in records] == ["stride", "other"]
    assert (made.result.records, made.result.problems) == (2, [])
    figures = json.loads(made.files["ledger/figures.json"])
    assert figures == [
        {"site": "other", "notice": notice.digest, "event": "given", "decisions": 1},
        {"site": "stride", "notice": notice.digest, "event": "given", "decisions": 1},
        {"site": "stride", "notice": notice.digest, "event": "refused", "decisions": 7},
    ]
    assert made.text("ledger/figures.csv").splitlines()[-1] == f"stride,{notice.digest},refused,7"
    assert "The first 2 of them in words" in made.text("ledger/index.html")
    alone = make(ledger_url, small, period=Period(AUGUST.first, AUGUST.last, "stride"))
    assert alone.folder == "consent-dossier-2026-08-01-to-2026-08-31-stride"
    assert alone.text("ledger/records.jsonl").count("\n") == 1
    assert "Records of the group’s other sites" in alone.text("index.html")


def test_figures_are_handed_over_without_records(ledger_url: str, small: Policy) -> None:
    fill(ledger_url, small)
    made = make(ledger_url, small, has_records=False)
    assert "ledger/records.jsonl" not in made.files and made.result.records == 2
    assert b"AAAAAAAAAAAAAAAAAAAAAA" not in b"".join(made.files.values())
    assert "figures alone" in made.text("index.html") and "no records" in made.text("ledger/index.html")


def test_figures_tell_how_often_the_banner_was_shown(ledger_url: str, small: Policy) -> None:
    notice = fill(ledger_url, small)
    ledger = Ledger(ledger_url)
    day = {"day": NOON - NOON % 86_400, "site": "stride", "notice": notice.digest, "language": "en"}
    ledger.add_shown([day | {"surface": "banner", "count": 23}, day | {"surface": "asked_again", "count": 6}])
    ledger.close()
    made = make(ledger_url, small, figures=with_report(small))
    report = json.loads(made.files["ledger/report.json"])
    assert (report["shown"]["banner"], report["shown"]["asked_again"]) == (20, 5)
    assert report["answers"]["rejected"]["number"] == 5, "of seven"
    assert "shown,banner,,,20," in made.text("ledger/report.csv")
    page = made.text("ledger/index.html")
    assert re.search(r"Banners shown</td>\s*<td[^>]*>25<", page) and "batches of 5" in page
    assert report["not_answered_on_banner"] == 20 and "not answered on the banner itself</td>" in page
    assert "too high as well as too low" in page and "left alone" not in page and "Who grants" not in page


def test_a_notice_and_words_are_as_stored_and_show_their_digests(ledger_url: str, small: Policy) -> None:
    notice = fill(ledger_url, small)
    made = make(ledger_url, small, camera=Camera())
    stored = made.files["notices/01/notice.json"]
    assert stored.decode() == execute(ledger_url, "SELECT content FROM consentkit_notices")[0][0]
    canonical = made.files["notices/01/notice.canonical.json"]
    assert json.loads(canonical) == json.loads(stored) and digest_of(canonical) == notice.digest
    assert hashlib.sha256(canonical).hexdigest() in made.text("notices/01/index.html")
    name = "notices/01/words/001-stride-banner-en"
    assert digest_of(made.files[f"{name}.json"]).startswith(words(notice).id)
    assert made.files[f"{name}-390.png"].startswith(b"390: ") and f"{name}-1280.png" in made.files
    assert "May we?</pre>" in made.text(f"{name}.html") and "2 of the period" in made.text(f"{name}.html")
    assert not [each for each in made.files if "002-" in each and each.endswith("png")]
    assert (made.result.renderings, made.result.pictures) == (2, 2)
    assert made.files["cover.pdf"].endswith(b"(D:20260831120000+00'00')")
    assert json.loads(made.files["software.json"])["browser"] == "Camera 1"


def test_parts_that_visitors_could_unfold_are_in_a_picture_of_their_own(
    ledger_url: str, small: Policy
) -> None:
    notice = fill(ledger_url, small)
    html = '<p>It</p><details class="x">what</details><details open>that</details>'
    ledger = Ledger(ledger_url)
    ledger.store_renderings([words(notice, html, surface="policy")])
    ledger.close()
    made = make(ledger_url, small, camera=Camera())
    name = next(name for name in made.files if name.endswith("-unfolded.png"))
    assert b'<details open class="x">what</details><details open>that' in made.files[name]
    assert b'<details class="x">' in made.files[name.replace("unfolded", "1280")]
    assert "every part unfolded" in made.text("notices/01/index.html")
    assert sum(each.endswith("-unfolded.png") for each in made.files) == 1


def test_what_is_not_as_it_was_stored_is_a_problem(ledger_url: str, small: Policy) -> None:
    fill(ledger_url, small)
    execute(ledger_url, "UPDATE consentkit_notices SET content = replace(content, 'Counter', 'Nobody')")
    execute(ledger_url, "UPDATE consentkit_renderings SET html = 'other words' WHERE seq = 1")
    execute(ledger_url, "UPDATE consentkit_records SET began = 'no JSON' WHERE seq = 2")
    made = make(ledger_url, small)
    assert len(made.result.problems) == 4 and not made.result.verification.is_unchanged
    assert "It was changed" in made.text("notices/01/index.html")
    assert "do not have the identifier" in made.text("notices/01/words/001-stride-banner-en.html")
    assert "1 rows of the period hold no record" in made.text("ledger/index.html")
    assert "not as it was stored: 1 findings" in made.text("index.html")
    assert json.loads(made.files["verification/result.json"])["unchanged"] is False


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"categories": 1}', "{}"])
def test_something_else_in_place_of_a_notice_is_reported(
    content: str, ledger_url: str, small: Policy, longer: Policy
) -> None:
    fill(ledger_url, small)
    execute(ledger_url, "UPDATE consentkit_notices SET content = ?", content)
    locked = published(longer, "2026-08-20")
    made = make(ledger_url, longer, notices=(locked,))
    assert made.result.notices == 2 and "It was changed" in made.text("notices/02/index.html")
    assert "cannot be compared" in made.text("changes.html")


def test_changes_say_who_had_to_be_asked_again(ledger_url: str, small: Policy, longer: Policy) -> None:
    fill(ledger_url, small)
    notices = (
        published(small, "2026-05-01"),
        published(longer, "2026-08-01"),
        published(small, "2026-08-05"),
    )
    lock = Lock(notices, (EditorialChange("2026-08-05", "a typing error", (("a" * 16, "b" * 16),)),))
    page = make(ledger_url, longer, notices=notices[:2], lock=lock).text("changes.html")
    assert "From notice 1 (1 May 2026) to notice 2 (1 August 2026)" in page
    assert "vendor added: Other (other), NL. Visitors who granted analytical will be asked again." in page
    assert "Visitors had to be asked again." in page and "a typing error" in page
    made = make(ledger_url, small, notices=notices[:2], lock=lock)
    assert "vendor added: other, NL." in made.text("changes.html")
    assert "does not hold this notice" in made.text("notices/02/index.html")
    assert "not listed" in made.text("exemptions.html")
    back = make(ledger_url, small, notices=notices[1:], lock=lock).text("changes.html")
    assert "Nobody had to be asked again." in back
    same = make(ledger_url, small, notices=(notices[0], notices[0])).text("changes.html")
    assert "Nothing that visitors are told changed" in same


def test_the_version_before_the_period_is_compared_and_not_included(
    ledger_url: str, small: Policy, longer: Policy
) -> None:
    fill(ledger_url, small)
    notices = (
        published(longer, "2026-05-01"),
        published(small, "2026-07-01"),
        published(longer, "2027-01-01"),
    )
    made = make(ledger_url, small, notices=notices, lock=Lock(notices))
    assert made.result.notices == 1 and "From the version before the period (1 May 2026)" in made.text(
        "changes.html"
    )
    assert "changed since its last notice" in made.text("index.html")
    empty = make(ledger_url, small, notices=notices, period=Period(date(2020, 1, 1), date(2020, 1, 2)))
    assert "No notice was in force" in empty.text("index.html") and "none before it" in empty.text(
        "changes.html"
    )
    assert "There are none" in empty.text("ledger/index.html")


def test_a_version_counts_if_it_lists_the_site(small: Policy) -> None:
    own = Notice.of(small)
    locked = Notice(own.digest, own.facts, own.content, published="2026-08-31")

    def numbers(site: str | None, **uses: Use) -> list[int]:
        period = Period(AUGUST.first, AUGUST.last, site)
        return [each.number for each in versions_in_force([locked], own, {}, uses, period)]

    assert (numbers("stride"), numbers("other"), numbers(None)) == ([1], [], [1])
    # A record of another program refers to a notice that nobody stored.
    assert numbers("other", unknown=Use(1, NOON, NOON)) == [1]
    unlocked = versions_in_force([own], own, {}, {}, AUGUST)
    assert [(each.number, each.published) for each in unlocked] == [(1, None)]


def test_an_exempt_purpose_has_its_sheet(ledger_url: str) -> None:
    def exempt(data: dict[str, Any]) -> None:
        data["categories"][1] |= {"exempt": True}
        data["vendors"].clear()
        item = {"name": "visits", "kind": "cookie", "category": "analytical", "lifetime": "P13M"}
        data["trackers"] = [*data["trackers"][:1], item | {"purpose": {"en": "Counts.", "nl": "Telt."}}]

    policy = a_policy(exempt)
    fill(ledger_url, policy)
    sheet = make(ledger_url, policy).text("exemptions.html")
    assert "exempt from consent by national law" in sheet and "the site’s own measurement" in sheet
    assert (
        "13 months" in sheet
        and "Strictly necessary" in sheet
        and "consentkit’s own; holds the choice" in sheet
    )
    content = dict(Notice.of(policy).content or {})
    content["categories"] = [row | {"required": False, "exempt": False} for row in content["categories"]]
    execute(ledger_url, "UPDATE consentkit_notices SET content = ?", json.dumps(content))
    assert "Every purpose needs consent." in make(ledger_url, policy).text("exemptions.html")


def test_sites_of_other_controllers_are_on_the_cover(ledger_url: str) -> None:
    def joint(data: dict[str, Any]) -> None:
        other = data["controller"] | {"name": "Other BV"}
        data["sites"].append(
            {"id": "two", "name": "Two", "origin": "https://two.example", "controller": other}
        )
        data["group"] = {"id": "g", "name": {"en": "Both", "nl": "Beide"}, "joint_controllers": True}

    policy = a_policy(joint)
    fill(ledger_url, policy)
    made = make(ledger_url, policy, configuration={"consent.toml": b"schema = 1"})
    cover = made.text("index.html")
    assert "Of Two" in cover and "Other BV" in cover and "Both" in cover
    assert made.files["configuration/consent.toml"] == b"schema = 1"
    assert "Other BV" not in make(
        ledger_url, policy, period=Period(AUGUST.first, AUGUST.last, "stride")
    ).text("index.html")


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.found += [name for name, _ in attrs if name.startswith("on")]


def test_hostile_texts_stay_texts(ledger_url: str) -> None:
    def hostile(data: dict[str, Any]) -> None:
        data["controller"] |= {"name": f"x{HOSTILE}"}
        data["categories"][1]["title"] = {"en": HOSTILE, "nl": HOSTILE}
        data["vendors"][0] |= {"name": HOSTILE}

    policy = a_policy(hostile)
    notice = Notice.of(policy)
    ledger = Ledger(ledger_url, lock_timeout=30)
    ledger.store_notice(notice.digest, dict(notice.content or {}))
    ledger.store_renderings(
        [words(notice, HOSTILE, site=HOSTILE, language=HOSTILE, surface="../../x", version=HOSTILE)]
    )
    ledger.append(
        a_record(notice=notice.digest, site=HOSTILE, language=HOSTILE, event=HOSTILE, version=HOSTILE)
    )
    ledger.append(a_record(notice=HOSTILE))
    ledger.close()
    made = make(ledger_url, policy, key=SigningKey.new(f"x{HOSTILE.replace(' ', '')}"))
    for name, content in made.files.items():
        assert (
            all(part not in ("", ".", "..") for part in name.split("/"))
            and name.isascii()
            and " " not in name
        )
        if name.endswith(".html"):
            elements = Elements()
            elements.feed(content.decode())
            assert not {"script", "img", "onerror"} & set(elements.found), name
            assert "default-src &#39;none&#39;" in content.decode()


def test_a_dossier_is_the_same_each_time(ledger_url: str, small: Policy) -> None:
    fill(ledger_url, small)
    key = SigningKey.new("example.org/consent")
    first, second = (make(ledger_url, small, key=key) for _ in range(2))
    assert first.files == second.files and list(first.files) == list(second.files)


def test_programs_of_others_verify_it(ledger_url: str, small: Policy, tmp_path: Path) -> None:
    fill(ledger_url, small)
    made = make(ledger_url, small, key=SigningKey.new("example.org/consent"))
    for name, content in made.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)

    cover = Commands()
    cover.feed(made.text("index.html"))
    sums, ssh, openssl, fingerprint, digest = cover.commands
    assert run(sums).returncode == 0
    signed = {"SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.ed25519"}
    assert len(made.text("SHA256SUMS").splitlines()) == len(made.files) - len(signed)
    assert 'Good "file" signature for controller' in run(ssh).stdout
    assert "Verified Successfully" in run(openssl).stdout
    assert run(fingerprint).stdout.split()[1] in made.text("index.html")
    assert run(digest).stdout.strip() == Notice.of(small).digest
    (tmp_path / "SHA256SUMS").write_text("nothing\n")
    assert run(ssh).returncode and run(openssl).returncode and run(sums).returncode
    assert "not signed" in make(ledger_url, small).text("index.html")


class Commands(HTMLParser):
    """The commands on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "pre":
            self.commands.append("")

    def handle_data(self, data: str) -> None:
        if self.commands and self.lasttag == "pre" and not self.commands[-1]:
            self.commands[-1] = data


def test_the_page_about_the_verification_says_what_it_could_not_compare() -> None:
    noted = Checkpoint("example.org/consent", NOON, {"0": (5, "a" * 64)})
    result = Verification(adopted=3, unchained={"record": 2}, against=noted)
    shown = verification_page(result, AUGUST, has_note=True, has_records=True)
    assert "were taken into it by a later upgrade" in shown and "nothing proves them" in shown
    assert "in the documentation of consentkit" not in shown and "in the third line the SHA-256" in shown
    assert "3, proved from a later upgrade on" in shown and "2, stored before there was one" in shown
    assert "compared with the checkpoint of <time" in shown and "with 5 entries" in shown
    for number in range(200):
        result.add(Finding("changed", "0", number, None, None, f"entry {number}"))
    assert "100 or more findings" in verification_words(result, AUGUST) and "entry 99" in verification_page(
        result, AUGUST, has_note=False, has_records=False
    )


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (AUGUST.start, "made before the period began, so it covers no record of the period"),
        (NOON, "made within the period, and proves nothing about changes before that time"),
        (AUGUST.end, "made after the end of the period, and proves nothing about changes before that time"),
    ],
)
def test_the_box_has_time_and_size_of_the_checkpoint_and_what_it_leaves_open(at: int, told: str) -> None:
    noted = Checkpoint("example.org/consent", at, {"0": (5, "a" * 64), "log": (1200, "b" * 64)})
    box = verification_box(Verification(against=noted), AUGUST)
    assert str(moment(at)) in box and "has 1,205 entries" in box and told in box
    assert 'class="note"' in box and ("What was stored after it" in box) is (at == NOON)


def test_a_notice_of_other_rules_is_described_by_the_policy_of_today(
    ledger_url: str, small: Policy, longer: Policy
) -> None:
    fill(ledger_url, small)
    content = dict(Notice.of(longer).content or {})
    content |= {
        "jurisdiction": "not a country",
        "categories": [*content["categories"], content["categories"][0] | {"id": "bare"}],
    }
    other = Notice.from_content(content)
    ledger = Ledger(ledger_url, lock_timeout=30)
    ledger.store_notice(other.digest, content)
    ledger.append(*(a_record(notice=other.digest, at=NOON + 60) for _ in range(500)))
    ledger.close()
    heard: list[str] = []
    made = make(ledger_url, small, progress=lambda what, done, total: heard.append(what))
    assert "vendor added: other, NL." in made.text("changes.html") and "bare" in made.text(
        "notices/02/index.html"
    )
    assert made.result.problems == [] and {"Reading records", "Verifying", "Words of notice 1"} <= set(heard)


def test_parts_of_pages() -> None:
    assert texts("<b>") == "&lt;b&gt;" and _installed("no such package") is None
    assert "Cover of the dossier" not in page("x", [], is_cover=True)
    assert '<a href="../../index.html">' in page("x", [], depth=2)
    assert moment(2**70) == str(2**70) and day(None) == ""
    assert (slug("Ünï / 1"), slug("…")) == ("n-1", "x")
    assert '<td class="number">1,000</td><td>-</td><td>True</td>' in table("x", ["a"], [(1000, None, True)])
    assert duration("P1Y2M") == "1 year, 2 months" and duration("PT2M") == "2 minutes"
    assert (duration("session"), duration("soon"), duration("P")) == ("the visit", "soon", "P")
    whole = dressed("junk<html><head lang=x><title>t</title></head>", "a::after{content:'</style>'}")
    assert (
        whole.count("</style>") == 1
        and "junk" not in whole
        and whole.index("Content-Security") < whole.index("<title>")
    )


def test_a_ledger_in_postgresql_has_the_same_dossier(
    postgres: Server, ledger_url: str, small: Policy
) -> None:
    url = postgres.address()
    fill(url, small)
    fill(ledger_url, small)
    one, other = make(url, small), make(ledger_url, small)
    assert one.result.problems == [] and "postgresql" in json.loads(one.files["software.json"])
    # Records have random ids, and the chain has streams that depend on the process.
    same = set(one.files) - {
        *(
            "ledger/records.jsonl",
            "ledger/records.csv",
            "ledger/index.html",
            "ledger/stored.txt",
            "verification/chain.txt",
        ),
        *("software.json", "SHA256SUMS"),
    }
    assert {name: one.files[name] for name in same} == {name: other.files[name] for name in same}


def test_words_have_their_own_heading_and_what_was_not_sent_is_named(ledger_url: str, small: Policy) -> None:
    notice = fill(ledger_url, small)
    ledger = Ledger(ledger_url, lock_timeout=30)
    receipt = "<title>Receipt</title><h1>Your\n <b>receipt</b></h1><h1>Second</h1><p>{answer}</p>"
    ledger.store_renderings([words(notice, receipt, surface="policy")])
    ledger.close()
    made = make(ledger_url, small)
    page = made.text("notices/01/index.html")
    assert (
        ">Your receipt</a>" in page and ">Banner</a>" in page and "No words are stored for: Settings" in page
    )
    assert "nothing here proves what it said" in page
    one = made.text("notices/01/words/003-stride-policy-en.html")
    assert "<title>Your receipt in “en” on stride</title>" in one and "own answer, in a sentence" in one
    assert heading_of(words(notice, "<title>Settings</title><h1>{title}</h1>")) == "Settings"
    assert heading_of(words(notice, "<h1>{title}</h1>", surface="other")) == "other"


def test_records_without_words_are_counted_and_the_others_lead_to_theirs(
    ledger_url: str, small: Policy
) -> None:
    notice = fill(ledger_url, small)
    ledger = Ledger(ledger_url, lock_timeout=30)
    ledger.append(
        *(
            a_record(notice=notice.digest, at=NOON, surface="api", subject=None, event=event)
            for event in ("withdrawn", "withdrawn", "refused")
        ),
        a_record(notice=notice.digest, at=NOON),
        a_record(notice=notice.digest, at=NOON, rendering="not stored"),
    )
    ledger.close()
    made = make(ledger_url, small)
    told = (
        "5 of 7 records have no stored words: 1 grant on banner, 1 refusal by a program (api), 2 withdrawals by a program "
        "(api), 1 with an identifier of words that are not here; and 7 decisions are only counted, without their words. What "
        "these persons saw is not proved."
    )
    shown = made.text("ledger/index.html")
    assert told in made.text("index.html") and told in shown and "none stored" in shown
    assert (
        f'<a href="../notices/01/words/001-stride-banner-en.html"><code>{words(notice).id}</code></a>'
        in shown
    )
    assert "<code>not stored</code>" in shown and "cut to the full hour" in shown
    assert all(json.loads(line)["id"] in shown for line in made.text("ledger/records.jsonl").splitlines())
    assert unworded(Tally(), {}) == []


def find_manipulations(folder: Path, run: Callable[[str], str], **commands: str) -> None:
    """Check that the commands of the page find what was done to the files, and put the files back."""

    def with_files(change: Callable[[str], str], *names: str) -> dict[str, str]:
        before = {name: (folder / name).read_bytes() for name in names}
        for name, content in before.items():
            (folder / name).write_bytes(change(content.decode()).encode())
        found = {name: run(command) for name, command in commands.items()}
        for name, content in before.items():
            (folder / name).write_bytes(content)
        return found

    empty = with_files(lambda _: "", "verification/checkpoint.txt")
    assert empty["own"] == "" and "Verified" not in empty["signed"] and "has no stream" in empty["noted"]
    other = with_files(lambda text: text.replace("\nat 1", "\nat 2"), "verification/checkpoint.txt")
    assert "Verified Successfully" not in other["signed"] and "third line does not fit" in other["noted"]
    lines = with_files(lambda text: text.partition("\n")[2], "ledger/stored.txt", "ledger/records.jsonl")
    assert (
        lines["values"] == ""
        and lines["counts"] == "stored.txt has 3 rows, the chain 4 entries of the period\n"
    )
    value = with_files(lambda text: text.replace("accept_all", "reject_all", 1), "ledger/records.jsonl")
    assert value["values"].endswith(" choice reject_all accept_all\n") and value["values"].count("\n") == 1
    gone = with_files(lambda text: text.partition("\n")[2], "ledger/records.jsonl")
    assert gone["values"].endswith(" is not in records.jsonl\n")
    more = with_files(
        lambda text: text + text.rpartition("\n")[0].rpartition("\n")[2] + "\n", "ledger/records.jsonl"
    )
    assert "is not in stored.txt, or twice" in more["values"]
    cut = with_files(lambda text: text.partition("\n")[2], "verification/chain.txt")
    assert cut["counts"].startswith("chain.txt has 4 entries of records, result.json tells 5")


def test_the_chain_is_checked_from_the_archive_alone(ledger_url: str, small: Policy, tmp_path: Path) -> None:
    key, ledger = SigningKey.new("example.org/consent"), Ledger(ledger_url, lock_timeout=30)
    old = NOON - 1000 * 86_400
    times = {"at": old, "decided_at": old, "changed_at": old, "expires_at": old + 1}
    ledger.append(a_record(subject="B" * 22, **times), a_record(at=NOON))
    assert [*Retention(ledger, Duration.parse("P30D"), ["stride"]).prune(NOON)][-1].records == 1
    hard = 'a\nb "\u2028" \\n \u20ac%s'
    ledger.append(*(a_record(at=NOON, version=hard, subject=None) for _ in range(3)))
    ledger.link("one", "two", NOON)
    ledger.close()
    with snapshot(ledger_url) as connection:
        checkpoint = make_checkpoint(key.public.name, ChainRows(connection).streams(), at=NOON)
    note = (sign_note(checkpoint.to_text(), key), checkpoint)
    made = make(ledger_url, small, key=key, note=note)
    assert made.result.problems == []
    assert 'class="note">No record was' in made.text("index.html")
    folder = tmp_path / "unpacked"
    for name, content in made.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    shown = Commands()
    shown.feed(made.text("verification/index.html"))
    heads, own, signed, noted, one, rows, counts, values = shown.commands

    def run(command: str) -> str:
        return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True).stdout

    (folder / "note.txt").write_text(note[0], "utf-8")
    signed = signed.replace("NAME+ID+KEY", key.public.text)
    assert run(own) == "same\n" and "Verified Successfully" in run(signed)
    assert (run(counts), run(values)) == ("", "")
    find_manipulations(folder, run, own=own, signed=signed, noted=noted, counts=counts, values=values)

    digest, entry = run(one).splitlines()
    assert entry.split()[4] == digest.split()[0]
    assert (run(heads), run(noted), run(rows)) == ("", "", "")
    stored = [line.split(" ", 1) for line in made.text("ledger/stored.txt").rstrip("\n").split("\n")]
    listed = [json.loads(line)["id"] for line in made.text("ledger/records.jsonl").rstrip("\n").split("\n")]
    assert [json.loads(text[32:])["id"] for _, text in stored] == listed and len(listed) == 4
    for name in ("ledger/stored.txt", "verification/chain.txt"):
        text = (folder / name).read_text("utf-8")
        (folder / name).write_text(
            text.replace("stride", "other").replace(" record 3 ", " record 9 "), "utf-8"
        )
    assert run(rows).splitlines() == [f"record {ref}" for ref, _ in stored]
    assert run(heads).startswith("entry ")
    text = checkpoint.to_text().replace("stream ", "stream x")
    (folder / "verification/checkpoint.txt").write_text(text, "utf-8")
    assert "stream x" in run(noted)
    execute(
        ledger_url,
        "UPDATE consentkit_streams SET (base_n, base_head) = (1, (SELECT head FROM consentkit_chain c "
        "WHERE c.stream = consentkit_streams.stream AND c.n = 1)) WHERE n > 1 AND stream <> 'log'",
    )
    execute(ledger_url, "DELETE FROM consentkit_chain WHERE n = 1 AND stream <> 'log'")
    cut = make(ledger_url, small)
    (folder / "verification/chain.txt").write_text(cut.text("verification/chain.txt"), "utf-8")
    assert run(heads).startswith("entry 2 of stream ") and cut.result.problems


def test_rows_without_a_salt_have_no_digest_to_work_out(ledger_url: str, small: Policy) -> None:
    fill(ledger_url, small)
    execute(ledger_url, "UPDATE consentkit_records SET salt = NULL WHERE seq = 2")
    made = make(ledger_url, small)
    assert (
        made.text("ledger/stored.txt").count("\n") == 1 and made.text("ledger/records.jsonl").count("\n") == 2
    )
    plain = make(ledger_url, small, key=SigningKey.new("example.org/consent"), has_records=False)
    assert "ledger/stored.txt" not in plain.files and "stored.txt" not in plain.text(
        "verification/index.html"
    )
    assert "as a program that verifies checkpoints reads it" not in plain.text("index.html")


def test_the_cover_checks_a_notice_that_is_there(ledger_url: str, small: Policy, longer: Policy) -> None:
    fill(ledger_url, small)
    locked = published(longer, "2026-08-01")
    made = make(ledger_url, small, notices=(locked, published(small, "2026-08-15")))
    assert "notices/01/notice.canonical.json" not in made.files
    assert "2. That a notice" in made.text("index.html") and "-binary notices/02/" in made.text("index.html")
    execute(ledger_url, "DELETE FROM consentkit_notices")
    none = make(ledger_url, small, notices=(locked,))
    assert "That a notice is the one" not in none.text("index.html")


def test_third_parties_are_shown_with_all_that_the_notice_tells_of_them(ledger_url: str) -> None:
    def told(data: dict[str, Any]) -> None:
        essence = {"en": "Turn to either of us.", "nl": "Kom bij ons allebei."}
        data["vendors"][0] |= {
            "role": "joint_controller",
            "joint_control": essence,
            "country": "US",
            "safeguard": "adequacy",
            "dpf_certified": True,
            "data": ["IPAddress"],
            "retention": "P3M",
        }

    policy = a_policy(told)
    notice = fill(ledger_url, policy)
    made = make(ledger_url, policy)
    shown = made.text("notices/01/index.html")
    for text in (
        "Turn to either of us.",
        "IPAddress",
        "3 months",
        "consent, article 6(1)(a)",
        "joint controller",
    ):
        assert text in shown
    assert "European Commission; on the Data Privacy Framework list" in shown
    name = policy.vendors[0].name
    assert f"{name}; the page of each notice has the essence" in made.text("index.html")
    assert notice.digest in shown
    row = {"safeguard": "scc", "safeguard_copy": "https://x.example/scc", "commercial_org": False}
    assert safeguard(row).endswith("; not subject to PIPEDA; copy: https://x.example/scc")
    assert basis({"required": True, "exempt": False, "gdpr_basis": "contract"}) == "contract, article 6(1)(b)"
    assert data_kept({"vendor": "gone"}, {"retention": "P1M"}, []) == "not stated"
    assert data_kept({}, {"retention": "P1M"}, []) == "1 month"


def test_the_cover_counts_notices_without_content(ledger_url: str, small: Policy, longer: Policy) -> None:
    fill(ledger_url, small)
    locked, own = published(longer, "2026-08-01"), published(small, "2026-08-15")
    cover = make(ledger_url, small, notices=(locked, own)).text("index.html")
    assert "1 as the ledger stores it and as a page; 1 without content, because" in cover
    assert "<td>not stored</td>" in cover and "<td>stored</td>" in cover
    execute(ledger_url, "DELETE FROM consentkit_notices")
    execute(ledger_url, "DELETE FROM consentkit_records")
    assert "<td>from the policy file</td>" in make(ledger_url, small, notices=(own,)).text("index.html")


def test_the_cover_claims_no_more_than_the_archive_shows(ledger_url: str, small: Policy) -> None:
    fill(ledger_url, small)
    made = make(ledger_url, small)
    cover = made.text("index.html")
    for told in (
        "<dt>Stream</dt>",
        "all entries before it in the same stream",
        "somebody else should keep",
        "records could have been invented",
        "Decisions that were never recorded",
        "the server itself recorded what it says it sent",
        "When something happened, or when the dossier was made, by anything other",
        "What a visitor’s browser actually showed",
    ):
        assert told in cover
    for claim in ("nothing in it is changed", "depends on all before it", "as easily", "are unchanged"):
        assert claim not in cover
    assert "from the time of the checkpoint on" in made.text("notices/01/index.html")
    assert "nobody can exchange" not in made.text("notices/01/index.html")


def test_days_that_are_not_over_and_sites_without_records_are_on_the_cover(
    ledger_url: str, small: Policy
) -> None:
    fill(ledger_url, small)
    cover = make(ledger_url, small, at=AUGUST.end).text("index.html")
    assert "2026-07-22 12:00 UTC" in cover
    assert "was not over" not in cover and "no decision of the period on" not in cover
    early = Period(date(2020, 1, 1), date(2099, 1, 2), "stride")
    assert "was not over when the dossier was made: 2 January 2099" in make(
        ledger_url, small, period=early
    ).text("index.html")
    empty = Period(date(2020, 1, 1), date(2020, 1, 2))
    assert "no decision of the period on Stride (stride)." in make(ledger_url, small, period=empty).text(
        "index.html"
    )
    execute(ledger_url, "DELETE FROM consentkit_records")
    assert "there is none" in make(ledger_url, small, period=empty).text("index.html")


def test_decisions_under_a_notice_that_was_not_published_yet_are_on_the_cover(
    ledger_url: str, small: Policy
) -> None:
    fill(ledger_url, small)

    def cover(*days: str) -> str:
        notices = [published(small, day) for day in days]
        return make(ledger_url, small, notices=notices).text("index.html")

    assert "9 of 9 decisions refer to a notice before the day on which" in cover("2026-09-01")
    assert "refer to a notice before" not in cover("2026-08-31")
    assert "refer to a notice before" not in cover("2026-08-01", "2026-09-01")


def test_the_chain_has_entries_of_records_before_and_after_the_period(ledger_url: str, small: Policy) -> None:
    fill(ledger_url, small)
    whole = make(ledger_url, small)
    shown = whole.text("ledger/index.html")
    for place in ("Before the period</dt><dd>1", "In the period</dt><dd>2", "After the period</dt><dd>1"):
        assert place in shown
    assert "changed or withdrawn after it. Such a later record is not in" in shown
    execute(ledger_url, "DELETE FROM consentkit_records WHERE seq = 4")
    alone = make(ledger_url, small, period=Period(AUGUST.first, AUGUST.last, "stride"), has_records=False)
    found = json.loads(alone.files["verification/result.json"])["entries_of_records"]
    assert found == {"before": 1, "in_period": 1, "after": 0, "elsewhere": 1, "removed": 1}


def test_the_records_are_in_a_table_without_formulas(ledger_url: str, small: Policy) -> None:
    notice = fill(ledger_url, small)
    ledger = Ledger(ledger_url, lock_timeout=30)
    hostile = a_record(
        site="=1+1",
        language="@x",
        surface="+1",
        choice="\tx",
        rendering="-1",
        expires_at=None,
        notice=notice.digest,
    )
    ledger.append(hostile, a_record(at=NOON, expires_at=2**60, notice=notice.digest, subject=None))
    ledger.close()
    made = make(ledger_url, small)
    first, _, third, fourth = csv.DictReader(io.StringIO(made.files["ledger/records.csv"].decode()))
    assert first == {
        "happened (UTC)": "2026-08-31 12:00:00",
        "decided (UTC)": "2026-08-31 12:00:00",
        "valid until (UTC)": "2027-03-03 12:00:00",
        "site": "stride",
        "event": "given",
        "allowed": "analytical, tracking, social",
        "not allowed": "youtube",
        "choice": "accept_all",
        "language": "nl",
        "surface": "banner",
        "notice": "1",
        "digest of the notice": first["digest of the notice"],
        "words": first["words"],
        "pseudonym": "A" * 22,
        "record": first["record"],
    }
    assert notice.digest in first["digest of the notice"] and words(notice).id in first["words"]
    guarded = [
        third[name] for name in ("site", "language", "surface", "choice", "words", "valid until (UTC)")
    ]
    assert guarded == ["'=1+1", "'@x", "'+1", "'\tx", "'-1", ""]
    assert (fourth["valid until (UTC)"], fourth["pseudonym"]) == (str(2**60), "")
    assert 'href="records.csv"' in made.text("ledger/index.html")
    assert "ledger/records.csv" not in make(ledger_url, small, has_records=False).files


def test_wide_tables_tell_that_they_scroll() -> None:
    assert '<div class="wide many"' in table("x", ["a"] * 4, []) and "it has 4 columns" in table(
        "x", ["a"] * 4, []
    )
    assert '<div class="wide"' in table("x", ["a"] * 3, [])
