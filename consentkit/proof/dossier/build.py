"""The writing of a dossier, from one moment of the ledger."""

import json
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Final

from sqlalchemy import Connection

from consentkit._version import __version__
from consentkit.ledger import ChainRows, ExtractRows
from consentkit.notices import Lock, Notice
from consentkit.policy import Policy
from consentkit.proof.checkpoint import Checkpoint, SigningKey
from consentkit.proof.dossier.archive import Archive
from consentkit.proof.dossier.chain import add_chain, add_stored
from consentkit.proof.dossier.cover import Cover, cover_page
from consentkit.proof.dossier.exemptions import exemptions_page
from consentkit.proof.dossier.figures import FiguresOf, events_of
from consentkit.proof.dossier.ledger_pages import ledger_page, result_of, unworded, verification_page
from consentkit.proof.dossier.notices import Describe, changes_page, folder_of, notice_page
from consentkit.proof.dossier.page import day
from consentkit.proof.dossier.period import Period, Tally, Version, publication_of, versions_in_force
from consentkit.proof.dossier.spreadsheet import SPREADSHEET, as_spreadsheet
from consentkit.proof.dossier.words import Camera, Words, add_words
from consentkit.proof.verify import Verification, verify

__all__ = ["DossierRequest", "DossierResult", "write_dossier"]

Progress = Callable[[str, int, int], None]
_PACKAGES: Final = ("SQLAlchemy", "psycopg", "cryptography", "pydantic", "Jinja2", "playwright")
_TIME_OF_PDF: Final = re.compile(rb"\(D:[0-9]{14}")
_SHOWN_EVERY: Final = 500
_NO_PICTURES: Final = "There are no pictures and no PDF of this page: "


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierRequest:
    """What a dossier is to cover, and what it is made of apart from the ledger.

    Attributes:
        policy: as it is now.
        notices: those of the lock and the policy's own, oldest first, ready to be compared.
        lock: the lock of the policy.
        period: days and site.
        at: when the dossier is made, in seconds since the epoch.
        stylesheet: of the words that were sent.
        describe: returns a sentence for each change.
        figures: works out the figures.
        key: signs the checksums; None for a dossier without a signature.
        note: a signed note, and its checkpoint after the signature was verified.
        has_records: whether records are handed over, or figures alone.
        camera: takes pictures; None without a browser.
        no_camera: why there is none, as the end of a sentence.
        configuration: files by name. They must not hold secrets.
    """

    policy: Policy
    notices: Sequence[Notice]
    lock: Lock
    period: Period
    at: int
    stylesheet: str
    describe: Describe
    figures: FiguresOf = events_of
    key: SigningKey | None = None
    note: tuple[str, Checkpoint] | None = None
    has_records: bool = True
    camera: Camera | None = None
    no_camera: str = ""
    configuration: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class DossierResult:
    """What was written.

    Attributes:
        records: how many records of the period there are.
        notices: how many were in force.
        renderings: how many words were sent.
        pictures: how many pictures were taken of them.
        verification: of the whole ledger.
        problems: sentences about what is not as it was stored.
    """

    records: int = 0
    notices: int = 0
    renderings: int = 0
    pictures: int = 0
    verification: Verification = field(default_factory=Verification)
    problems: list[str] = field(default_factory=list)


def write_dossier(
    connection: Connection, file: IO[bytes], request: DossierRequest, progress: Progress
) -> DossierResult:
    """Write a dossier as a ZIP file, and return what is in it.

    Args:
        connection: sees one moment of the ledger.
        file: that is written to.
        request: what the dossier covers.
        progress: called with what is being done, how much is done, and how much there is.
    """
    return _Writing(connection, file, request, progress).write()


class _Writing:
    def __init__(
        self, connection: Connection, file: IO[bytes], request: DossierRequest, progress: Progress
    ) -> None:
        self._connection = connection
        self._rows = ExtractRows(connection)
        self._request = request
        self._progress = progress
        self._archive = Archive(file, f"consent-dossier-{request.period.name}", request.at)
        self._result = DossierResult()
        self._pages: dict[str, str] = {}

    def write(self) -> DossierResult:
        request, result, archive = self._request, self._result, self._archive
        tally = self._add_ledger()
        self._add_verification(tally)
        versions = self._versions(tally)
        for each in versions:
            if each.number:
                self._add_notice(each, tally)
        self._add_figures(tally, versions)
        in_force = [each for each in versions if each.number]
        result.records, result.notices = tally.records, len(in_force)
        archive.add("changes.html", changes_page(versions, request.policy, request.lock, request.describe))
        archive.add("exemptions.html", exemptions_page(in_force))
        for name, content in request.configuration.items():
            archive.add(f"configuration/{name}", content)
        software = self._software(tally)
        archive.add("software.json", json.dumps(software, indent=1, ensure_ascii=False) + "\n")
        self._add_cover(in_force, tally)
        archive.close(request.key)
        return result

    def _add_ledger(self) -> Tally:
        """Add the records, and return what was counted on the way."""
        request, period = self._request, self._request.period
        tally = Tally(published=publication_of(request.notices))
        last, span = self._rows.last(), (period.start, period.end, period.site)
        records = self._rows.records(*span)
        with ExitStack() as stack:
            write = (
                stack.enter_context(self._archive.open("ledger/records.jsonl"))
                if request.has_records
                else None
            )
            for record in records:
                if write is not None:
                    write(f"{record.to_json()}\n")
                tally.add(record)
                if tally.records % _SHOWN_EVERY == 0:
                    self._progress("Reading records", record.seq or 0, last)
        if request.has_records:
            add_stored(self._archive, ChainRows(self._connection), tally.refs)
        tally.unreadable = self._rows.unreadable
        tally.entries = self._rows.entries(*span)
        for row in self._rows.counts(*span):
            tally.add_count(row)
        if tally.unreadable:
            self._result.problems.append(f"{tally.unreadable} rows of the period hold no record.")
        return tally

    def _add_figures(self, tally: Tally, versions: Sequence[Version]) -> None:
        request = self._request
        figures = request.figures(self._connection, request.period, tally)
        for name, content in figures.files.items():
            self._archive.add(f"ledger/{name}", content)
        numbers = {each.digest: each.number for each in versions}
        if request.has_records:
            period = request.period
            records = ExtractRows(self._connection).records(period.start, period.end, period.site)
            with self._archive.open(SPREADSHEET) as write:
                for line in as_spreadsheet(records, numbers):
                    write(line)
        shown = ledger_page(tally, figures, numbers, self._pages, has_records=request.has_records)
        self._archive.add("ledger/index.html", shown)

    def _add_verification(self, tally: Tally) -> None:
        request = self._request
        result = verify(
            ChainRows(self._connection),
            None if request.note is None else request.note[1],
            progress=lambda done, total: self._progress("Verifying", done, total),
        )
        self._result.verification = result
        self._result.problems += [finding.message for finding in result.findings]
        self._archive.add(
            "verification/index.html",
            verification_page(
                result, request.period, has_note=request.note is not None, has_records=request.has_records
            ),
        )
        add_chain(self._archive, ChainRows(self._connection))
        as_json = json.dumps(result_of(result, tally.entries), indent=1)
        self._archive.add("verification/result.json", f"{as_json}\n")
        if request.note is not None:
            self._archive.add("verification/checkpoint.txt", request.note[0])

    def _versions(self, tally: Tally) -> list[Version]:
        request = self._request
        own = Notice.of(request.policy)
        return versions_in_force(request.notices, own, self._rows.notices(), tally.uses, request.period)

    def _add_notice(self, each: Version, tally: Tally) -> None:
        folder, hexadecimal = folder_of(each), ""
        if each.stored is not None:
            self._archive.add(f"{folder}/notice.json", each.stored)
        if not each.is_intact:
            self._result.problems.append(f"The notice {each.digest} does not have its digest.")
        if each.canonical is not None:
            hexadecimal = self._archive.add(f"{folder}/notice.canonical.json", each.canonical)
        words: list[Words] = []
        for number, sent in enumerate(self._rows.renderings(each.digest, self._request.period.site), 1):
            self._progress(f"Words of notice {each.number}", number, 0)
            words.append(
                add_words(
                    self._archive,
                    f"{folder}/words",
                    number,
                    sent,
                    decisions=tally.renderings[sent.id],
                    stylesheet=self._request.stylesheet,
                    camera=self._request.camera,
                )
            )
        self._pages |= {one.sent.id: f"{folder}/words/{one.name}.html" for one in words}
        self._result.problems += [
            f"The words {one.sent.id} do not have their identifier." for one in words if not one.is_intact
        ]
        self._result.renderings += len(words)
        self._result.pictures += sum(len(one.pictures) for one in words)
        self._archive.add(f"{folder}/index.html", notice_page(each, words, hexadecimal))

    def _software(self, tally: Tally) -> dict[str, object]:
        dialect = self._connection.dialect
        camera = self._request.camera
        return {
            "consentkit": __version__,
            "Python": platform.python_version(),
            **{name: found for name in _PACKAGES if (found := _installed(name))},
            dialect.name: ".".join(map(str, dialect.server_version_info or ())),
            **({} if camera is None else {"browser": camera.version}),
            "consentkit of the records, with their number": dict(sorted(tally.versions.items())),
        }

    def _add_cover(self, versions: Sequence[Version], tally: Tally) -> None:
        request, camera = self._request, self._request.camera
        lacks = [f"{_NO_PICTURES}{request.no_camera}"] if camera is None else []
        if not request.lock.notices:
            lacks.append("There is no lock file, so the days on which notices were published are not known.")
        elif request.lock.notices[-1].digest != Notice.of(request.policy).digest:
            lacks.append("The policy file was changed since its last notice was published.")
        shown = cover_page(
            Cover(
                policy=request.policy,
                period=request.period,
                at=request.at,
                versions=versions,
                tally=tally,
                verification=self._result.verification,
                key=None if request.key is None else request.key.public,
                has_records=request.has_records,
                pictures=self._result.pictures,
                has_pdf=camera is not None,
                lacks=[*lacks, *gaps(request, tally), *unworded(tally, self._pages)],
                first_at=self._rows.first_at(request.period.site),
                configuration=list(request.configuration),
            )
        )
        self._archive.add("index.html", shown)
        pdf = None if camera is None else camera.pdf(shown)
        if pdf is not None:
            # Browsers write the time into it, which would make every dossier different.
            at = time.strftime("(D:%Y%m%d%H%M%S", time.gmtime(request.at)).encode()
            self._archive.add("cover.pdf", _TIME_OF_PDF.sub(at, pdf))


def gaps(request: DossierRequest, tally: Tally) -> list[str]:
    """Return a sentence if the period is not over, one about notices that came later, and one for each site without decisions."""
    period, active = request.period, {site for site, _, _ in tally.events}
    return [
        *(
            [f"The period was not over when the dossier was made: {day(period.last)} ends later."]
            if request.at < period.end
            else []
        ),
        *(
            [
                f"{tally.early:,} of {tally.records + tally.only_counted:,} decisions refer to a notice before the day on which, "
                "as consent.lock says, it was published. Either it was used before it was in the lock file, or a time is wrong."
            ]
            if tally.early
            else []
        ),
        *(
            f"The ledger holds no decision of the period on {site.name} ({site.id})."
            for site in request.policy.sites
            if period.site in (None, site.id) and site.id not in active
        ),
    ]


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
