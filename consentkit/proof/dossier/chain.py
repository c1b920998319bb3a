"""The chain as files, so that a reader works out its digests and heads without a copy of the database."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from consentkit.ledger import ChainRows, canonical
from consentkit.proof.dossier.archive import Archive
from consentkit.proof.dossier.page import code, items, link, para

__all__ = ["CHAIN", "STORED", "add_chain", "add_stored", "recipe"]

CHAIN: Final = "verification/chain.txt"
"""File with all entries of the chain."""
STORED: Final = "ledger/stored.txt"
"""File with the rows that the digests of the period's records are made of."""
_PAGE: Final = 500
_ONE: Final = """head -n 1 ledger/stored.txt | cut -d ' ' -f 2- | tr -d '\\n' | sha256sum
grep " record $(head -n 1 ledger/stored.txt | cut -d ' ' -f 1) " verification/chain.txt"""
_ALL: Final = """while read -r ref row; do
  digest=$(printf %s "$row" | sha256sum | cut -c 1-64)
  grep -q " record $ref $digest " verification/chain.txt || echo "record $ref"
done < ledger/stored.txt"""
_HEADS: Final = """while read -r stream n kind ref digest head payload; do
  if [ "$stream" != "$before" ]; then last=$(printf '0%.0s' $(seq 64)); before=$stream; fi
  last=$(printf '%s\\n' "$last" "$stream" "$n" "$kind" "${ref#-}" "$digest" | sha256sum | cut -c 1-64)
  [ "$last" = "$head" ] || echo "entry $n of stream $stream"
done < verification/chain.txt"""
_NOTE: Final = """grep '^stream ' verification/checkpoint.txt | while read -r _ stream n head; do
  [ "$n" = 0 ] || grep -q "^$stream $n .* $head" verification/chain.txt || echo "stream $stream"
done"""


def add_chain(archive: Archive, rows: ChainRows) -> None:
    """Add all entries of the chain. They hold hashes and numbers, and nothing of a record."""
    with archive.open(CHAIN) as write:
        for end in rows.streams():
            after = 0
            while entries := rows.entries(end.stream, after):
                for entry in entries:
                    values = (entry.stream, entry.n, entry.kind, entry.ref)
                    write(_line(*values, entry.digest, entry.head, entry.payload))
                after = entries[-1].n


def add_stored(archive: Archive, rows: ChainRows, refs: Sequence[int]) -> None:
    """Add what the digests of records are made of, a line for each: `seq`, then salt and JSON."""
    with archive.open(STORED) as write:
        for at in range(0, len(refs), _PAGE):
            for ref, row in sorted(rows.rows("record", refs[at : at + _PAGE]).items()):
                # What is older than the chain, and was not taken into it, has no salt.
                if row.salt is not None:
                    write(f"{ref} {row.salt}{canonical(row.values)}\n")


def _line(
    stream: str, n: int, kind: str, ref: int | None, digest: str, head: str, payload: str | None
) -> str:
    values = (stream, n, kind, "-" if ref is None else ref, digest, head, payload or "")
    # Somebody may have written line breaks into the database.
    return " ".join(str(value).replace("\n", " ") for value in values).rstrip() + "\n"


def recipe(*, has_records: bool, has_note: bool) -> list[Markup]:
    """Return how a reader checks the chain from the files of the archive."""
    parts = [
        Markup("<h2>Check the chain yourself</h2>"),
        items(
            [
                Markup(
                    "{} has all entries of the chain, one in a line: stream, number, kind, number of the row, digest, head, and "
                    "in the stream {} a payload."
                ).format(link("chain.txt", "chain.txt"), code("log")),
                "The head is the SHA-256 of six lines, each with a line feed: the head before it (64 zeros before the first), "
                "stream, number, kind, number of the row (empty without one), and digest.",
            ]
        ),
        para("In the folder of the archive, this works out all heads, and prints entries that do not fit:"),
        _command(_HEADS),
    ]
    if has_note:
        parts += [
            para(
                "This prints the streams whose head is not in the chain as the checkpoint has it. Those that were pruned since "
                "are printed too:"
            ),
            _command(_NOTE),
        ]
    return parts + (_of_records() if has_records else [])


def _of_records() -> list[Markup]:
    return [
        para(
            Markup(
                "{} has a line for each record of the period: the number of the row, then the text whose SHA-256 is the digest. "
                "That text is a random salt of 32 characters, and the row as JSON with sorted keys. The row’s {} leads to the "
                "line of records.jsonl, which has the same values; {} is called {} there. The first command works out the digest "
                "of the first record, the second prints its entry:"
            ).format(
                link("../ledger/stored.txt", "stored.txt"), code("id"), code("site_group"), code("group")
            )
        ),
        _command(_ONE),
        para("This does it for all records, and prints those whose digest is not in the chain:"),
        _command(_ALL),
        para(
            "Records outside the period, and links between sites, have their entries here and not their rows. To check these, "
            "ask the controller for a copy of the database, and see “What the ledger proves” in the documentation of consentkit."
        ),
    ]


def _command(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(text)
