"""The pages about the ledger: what was decided in the period, and whether the records are as they were stored."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from markupsafe import Markup

from consentkit.proof.dossier.chain import recipe
from consentkit.proof.dossier.figures import Figures
from consentkit.proof.dossier.page import code, facts, items, link, moment, page, para, table
from consentkit.proof.dossier.period import Period, Tally
from consentkit.proof.dossier.spreadsheet import answers_of
from consentkit.proof.export_page import EVENTS
from consentkit.proof.verify import Verification

__all__ = [
    "ledger_page",
    "result_of",
    "unworded",
    "verification_box",
    "verification_page",
    "verification_words",
]

_FIELDS: Final[Mapping[str, str]] = {
    "id": "identifier of the record",
    "at": "when it happened, in seconds since 1 January 1970 UTC",
    "event": "what happened, see below",
    "status": "where the consent stands after it",
    "subject": "pseudonym: a random number in the visitor’s cookie, the same in all records of one consent; null without one",
    "site, group": "where it happened",
    "notice": "digest of the notice that was shown; the table of notices on the cover has it",
    "language": "language in which it was shown",
    "surface": "where the visitor decided: banner, preferences (the settings page), policy, embed or api (a program)",
    "rendering": "identifier of the very words, see the page of the notice; empty if none were shown",
    "choice": "the button: accept_all, reject_all, save, change, withdraw, load_once, api, or handoff (from another site)",
    "categories, vendors": "the answers by purpose; by third party where it differs from its purpose",
    "began, ended": "what was allowed from then on, and what was not any more",
    "decided_at, expires_at": "when the validity began and ends, in seconds too; null if no decision is in force",
    "changed_at, revision": "when the answer last changed; of two answers the later one counts",
    "gpc": "whether the browser sent Global Privacy Control",
    "jurisdiction, version": "whose rules were applied, and the version of consentkit",
}
_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "given": ("grant", "grants"),
    "changed": ("change", "changes"),
    "withdrawn": ("withdrawal", "withdrawals"),
    "refused": ("refusal", "refusals"),
    "renewed": ("renewal", "renewals"),
    "imported": ("answer from another site", "answers from another site"),
    "loaded_once": ("content loaded once", "contents loaded once"),
}
_PLACES: Final[Mapping[str, str]] = {
    "before": "Before the period",
    "in_period": "In the period",
    "after": "After the period",
    "elsewhere": "In the period, of other sites",
    "removed": "No longer stored, at any time",
}
_PROVES: Final = (
    "Each record and link has an entry in a chain of hashes, written in the transaction that stored it. A change of "
    "a record that leaves the chain alone is found.",
    "Without a checkpoint, somebody who can write to the database could have worked out the whole chain again. A "
    "checkpoint that somebody else kept rules that out from the time at which it was made, for all records that were there "
    "then. It says nothing about what was done to them before.",
    "It does not prove when something was stored, except that it was before the checkpoint, and not that every decision was "
    "stored. The times in records are those of the controller’s clock.",
    "This result is the controller’s own. The files of the archive let you check the chain yourself, see below.",
)
_HANDED_IN: Final = (
    "The controller handed the checkpoint in. Ask who else keeps it, and compare theirs with checkpoint.txt. What was stored "
    "after it was made is proved by the chain alone."
)


def ledger_page(
    tally: Tally,
    figures: Figures,
    numbers: Mapping[str, int],
    pages: Mapping[str, str],
    *,
    has_records: bool,
) -> str:
    """Return the page about what was decided.

    Args:
        tally: what was counted.
        figures: of the period.
        numbers: the number of each notice by its digest.
        pages: the page of each rendering in the dossier by its id.
        has_records: whether the records are in the dossier.
    """
    parts = [_numbers(tally), *(para(sentence, "note") for sentence in unworded(tally, pages))]
    if tally.unreadable:
        parts.append(
            para(
                f"{tally.unreadable:,} rows of the period hold no record, and are not in the extract.", "bad"
            )
        )
    parts += [Markup("<h2>Figures</h2>"), figures.section, Markup("<h2>Records</h2>")]
    if has_records:
        parts += _records(tally, numbers, pages)
    else:
        parts.append(
            para(
                "This dossier has figures and no records. The controller can hand them over with another one.",
                "note",
            )
        )
    parts += [
        *_around(tally.entries),
        table("Events", ("Event", "Meaning"), ((code(name), words) for name, words in EVENTS.items())),
        para(
            "Not in the extract: records whose period of keeping had passed, and those that were erased at the request of a "
            "visitor. The verification counts them."
        ),
    ]
    return page("What was decided", parts, depth=1)


def _numbers(tally: Tally) -> Markup:
    return facts(
        [
            ("Records", f"{tally.records:,}"),
            ("With a pseudonym", f"{tally.references:,}"),
            ("Only counted", f"{tally.only_counted:,} decisions"),
            ("Global Privacy Control", f"{tally.gpc:,} of the records"),
        ]
    )


def _around(entries: Mapping[str, int]) -> list[Markup]:
    rows = [(words, f"{entries[place]:,}") for place, words in _PLACES.items() if entries.get(place)]
    return [
        Markup("<h2>What comes before and after</h2>"),
        para(
            "The chain has an entry for each record of the ledger, whatever the period. So many are of records"
        ),
        facts(rows),
        para(
            "A consent that was given in the period may have been changed or withdrawn after it. Such a later record is not in "
            "this dossier. Nor is an earlier one, to which a change or a withdrawal in the period may refer."
        ),
    ]


def _records(tally: Tally, numbers: Mapping[str, int], pages: Mapping[str, str]) -> list[Markup]:
    return [
        para(
            Markup(
                "{} has one record in each line, as JSON, in the order in which they were stored. "
            ).format(link("records.jsonl", "records.jsonl"))
            + "No record has a name, an IP address, a browser’s name or a page. Pseudonyms lead to a person only together "
            "with that person’s cookie, or where the controller stored them with an account."
        ),
        para(
            Markup(
                "{} has the same records in a table for spreadsheets, without some of their fields: when something happened, was "
                "decided, and ceases to be valid, in UTC; site, event, what was allowed and what was not, choice, language, "
                "surface, notice, words, pseudonym and record. A cell that a spreadsheet would take for a formula has an "
                "apostrophe in front: those that begin with =, +, -, @ or a tab. Only records.jsonl is compared with the chain."
            ).format(link("records.csv", "records.csv"))
        ),
        para(
            "The time of a record without a pseudonym is cut to the full hour, so that nobody finds the visitor in an access "
            "log by it. The order is that in which records were stored, so times may go back."
        ),
        _first(tally, numbers, pages),
        table(
            "Fields of a record",
            ("Field", "Meaning"),
            ((code(name), words) for name, words in _FIELDS.items()),
        ),
    ]


def _first(tally: Tally, numbers: Mapping[str, int], pages: Mapping[str, str]) -> Markup:
    rows = [
        (
            moment(record.at),
            record.site,
            EVENTS.get(record.event, record.event),
            answers_of(record, allowed=True),
            answers_of(record, allowed=False),
            record.language,
            f"notice {numbers[record.notice]}",
            code(record.surface),
            _rendering(record.rendering, pages),
            None if record.subject is None else code(record.subject),
            code(record.id),
        )
        for record in tally.first
    ]
    columns = (
        "When",
        "Site",
        "Event",
        "Allowed",
        "Not allowed",
        "Language",
        "Under",
        "Surface",
        "Words",
        "Pseudonym",
        "Record",
    )
    return table(f"The first {len(rows)} of them in words" if rows else "There are none", columns, rows)


def _rendering(rendering: str, pages: Mapping[str, str]) -> Markup | str:
    if not rendering:
        return "none stored"
    return link(f"../{pages[rendering]}", code(rendering)) if rendering in pages else code(rendering)


def unworded(tally: Tally, pages: Mapping[str, str]) -> list[str]:
    """Return a sentence about the decisions whose words are not in the dossier, or nothing if there are none.

    Args:
        tally: what was counted.
        pages: the page of each rendering in the dossier by its id.
    """
    without = sum(number for rendering, number in tally.renderings.items() if rendering not in pages)
    found = []
    if without:
        which = [_wordless(*key, number) for key, number in sorted(tally.wordless.items())]
        if lost := without - sum(tally.wordless.values()):
            which.append(f"{lost:,} with an identifier of words that are not here")
        found.append(f"{without:,} of {tally.records:,} records have no stored words: {', '.join(which)}")
    if tally.only_counted:
        found.append(f"{tally.only_counted:,} decisions are only counted, without their words")
    return [f"{'; and '.join(found)}. What these persons saw is not proved."] if found else []


def _wordless(event: str, surface: str, number: int) -> str:
    """Return in words how many events of a kind have no words."""
    one, many = _NOUNS.get(event, (event, event))
    where = "by a program (api)" if surface == "api" else f"on {surface}"
    return f"{number:,} {one if number == 1 else many} {where}"


def result_of(result: Verification, entries: Mapping[str, int]) -> dict[str, Any]:
    """Return a verification as plain data, with the number of the chain's entries of records by where their rows are."""
    noted = result.against
    checkpoint = None if noted is None else {"origin": noted.origin, "at": noted.at, "size": noted.size}
    values = asdict(result) | {"against": checkpoint, "entries_of_records": dict(entries)}
    return {"unchanged": result.is_unchanged} | values


def verification_words(result: Verification, period: Period) -> Markup | str:
    """Return the result in sentences, with what the checkpoint leaves open about the period."""
    if not result.is_unchanged:
        more = "or more " if len(result.findings) >= 100 else ""
        return f"The ledger is not as it was stored: {len(result.findings)} {more}findings."
    if result.against is None:
        return (
            "The chain of hashes shows no change. There was no checkpoint to compare it with, so this does not rule out that "
            "somebody who can write to the database worked out the whole chain again."
        )
    return Markup(
        "No record was changed, removed, inserted, reordered or cut off, compared with the checkpoint of {}, which has {:,} "
        "entries. {}"
    ).format(moment(result.against.at), result.against.size, _left_open(result.against.at, period))


def _left_open(at: int, period: Period) -> str:
    """Return what a checkpoint of some time does not prove about a period."""
    if at <= period.start:
        return (
            "It was made before the period began, so it covers no record of the period: the chain alone stands for these, and "
            "somebody who can write to the database could have worked it out again."
        )
    when = "after the end of the period" if at >= period.end else "within the period"
    later = "" if at >= period.end else " What was stored after it is proved by the chain alone."
    return (
        f"It was made {when}, and proves nothing about changes before that time: what was stored earlier could have been "
        f"rewritten until then.{later}"
    )


def verification_box(result: Verification, period: Period) -> Markup:
    """Return the result in a box that does not look better than what is proved."""
    return para(verification_words(result, period), "note" if result.is_unchanged else "bad")


def verification_page(result: Verification, period: Period, *, has_note: bool, has_records: bool) -> str:
    """Return the page about the verification of the whole ledger."""
    parts = [
        verification_box(result, period),
        para("The whole ledger was checked when the dossier was made, not only the period and the site."),
        _counted(result),
    ]
    if result.findings:
        found = ((finding.what, finding.message) for finding in result.findings)
        parts.append(table("Findings", ("What", "Where"), found))
    files = [_about_result(), link("chain.txt", "chain.txt") + ", all entries of the chain"]
    if has_note:
        files.append(link("checkpoint.txt", "checkpoint.txt") + ", the note as it was handed in")
    parts += [
        items(files),
        Markup("<h2>What this proves, and what not</h2>"),
        items([*_PROVES, *([_HANDED_IN] if has_note else [])]),
        *recipe(has_records=has_records, has_note=has_note),
    ]
    return page("Are the records as they were stored?", parts, depth=1)


def _about_result() -> Markup:
    return Markup(
        "{}, the result as data. {} is how many records and links were stored before there was a chain, and were taken into it "
        "by a later upgrade: the chain proves them from that upgrade on. {} is how many were stored before there was one, and "
        "are not in it: nothing proves them. {} is how many entries of records the chain has, by where their rows are."
    ).format(link("result.json", "result.json"), *map(code, ("adopted", "unchained", "entries_of_records")))


def _counted(result: Verification) -> Markup:
    rows: list[tuple[str, object]] = [
        ("Entries of the chain", f"{result.entries:,}"),
        ("Records as stored", f"{result.rows['record']:,}"),
        ("Links as stored", f"{result.rows['link']:,} (two pseudonyms of one visitor on two sites)"),
        *(
            (f"Removed by {kind}", f"{number:,}, as the chain says")
            for kind, number in result.removed.items()
        ),
    ]
    if result.adopted:
        rows.append(("Older than the chain", f"{result.adopted:,}, proved from a later upgrade on"))
    if unchained := sum(result.unchained.values()):
        rows.append(("Not in the chain", f"{unchained:,}, stored before there was one; nothing proves them"))
    if result.against is not None:
        rows.append(
            (
                "Checkpoint",
                Markup("{} of {}, with {:,} entries").format(
                    result.against.origin, moment(result.against.at), result.against.size
                ),
            )
        )
    return facts(rows)
