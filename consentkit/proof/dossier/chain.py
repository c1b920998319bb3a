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
_OWN: Final = "cmp note.txt verification/checkpoint.txt && echo same"
_SIGNED: Final = r"""KEY='NAME+ID+KEY'
folder=$(mktemp -d)
sed '/^$/,$d' verification/checkpoint.txt > "$folder/text"
awk -v name="${KEY%%+*}" '$1 == "—" && $2 == name { print $3; exit }' verification/checkpoint.txt |
  base64 -d | tail -c 64 > "$folder/signature"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  printf %s "${KEY#*+*+}" | base64 -d | tail -c 32; } > "$folder/key.der"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$folder/key.der" \
  -in "$folder/text" -sigfile "$folder/signature" -rawin"""
_NOTE: Final = """note=verification/checkpoint.txt
grep -q '^stream ' "$note" || echo "The note has no stream."
[ "$(sed -n 3p "$note")" = "$(sed '1,3d;/^$/,$d' "$note" | openssl dgst -sha256 -binary | base64)" ] ||
  echo "The third line does not fit."
[ "$(sed -n 2p "$note")" = "$(awk '/^stream / { n += $3 } END { print n + 0 }' "$note")" ] ||
  echo "The size does not fit."
grep '^stream ' "$note" | while read -r _ stream n head; do
  [ "$n" = 0 ] || grep -q "^$stream $n .* $head" verification/chain.txt || echo "stream $stream"
done"""
_COUNTS: Final = """python3 - <<'EOF'
import json
with open("verification/result.json", encoding="utf-8") as file:
    told = json.load(file)["entries_of_records"]
with open("verification/chain.txt", encoding="utf-8", newline="\\n") as file:
    chained = sum(line.split(" ")[2] == "record" for line in file)
with open("ledger/stored.txt", encoding="utf-8", newline="\\n") as file:
    stored = sum(1 for line in file)
if chained != sum(told.values()):
    print(f"chain.txt has {chained} entries of records, result.json tells {sum(told.values())}")
if stored != told["in_period"]:
    print(f"stored.txt has {stored} rows, the chain {told['in_period']} entries of the period")
EOF"""
_VALUES: Final = """python3 - <<'EOF'
import json
def read(name):
    with open(name, encoding="utf-8", newline="\\n") as file:
        yield from file
rows = {}
for line in read("ledger/stored.txt"):
    row = json.loads(line.split(" ", 1)[1][32:])
    row["group"] = row.pop("site_group")
    rows[row["id"]] = row
for record in map(json.loads, read("ledger/records.jsonl")):
    row = rows.pop(record["id"], None)
    if row is None:
        print(record["id"], "is not in stored.txt, or twice in records.jsonl")
        continue
    for name in sorted((row.keys() | record.keys()) - {"precedence"}):
        value, found = record.get(name, "missing"), row.get(name, "missing")
        if isinstance(value, (dict, list)):
            found = json.loads(found)
        if json.dumps(value, sort_keys=True) != json.dumps(found, sort_keys=True):
            print(record["id"], name, value, found)
for each in rows:
    print(each, "is not in records.jsonl")
EOF"""


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
        para(
            "Standard tools suffice: a shell with sha256sum, grep, sed, awk and cmp, OpenSSL, and Python without packages. "
            "Whether the files are those of the controller is checked with SHA256SUMS, see the cover."
        ),
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
    return parts + (_of_note() if has_note else []) + (_of_records() if has_records else [])


def _of_note() -> list[Markup]:
    return [
        Markup("<h3>The checkpoint</h3>"),
        para(
            "A note is a text, an empty line, and signatures. The text has the name of the ledger, the size, which is the number "
            "of entries in all streams, and in the third line the SHA-256 in base64 of all lines that follow: one with the time "
            "in seconds since 1 January 1970 UTC, and one for each stream with its name, its number of entries and its head. A "
            "signature has the name of its key, then in base64 the four bytes of the key’s id and the 64 bytes of Ed25519, made "
            "of the text."
        ),
        para(
            "If you keep a note, put it into the folder as note.txt. This says whether it is the one that was handed in. If it "
            "is another one, use yours instead of verification/checkpoint.txt from here on:"
        ),
        _command(_OWN),
        para(
            "This verifies the signature with OpenSSL 3. Put the public key of the note in place of NAME+ID+KEY. Ask the "
            "controller for it by another way than the one by which the dossier came:"
        ),
        _command(_SIGNED),
        para(
            "This prints what does not fit in the note, and the streams whose head is not in the chain as the note has it. It "
            "prints nothing if all is well:"
        ),
        _command(_NOTE),
    ]


def _of_records() -> list[Markup]:
    return [
        Markup("<h3>The records</h3>"),
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
            "The chain has no times, so result.json says of how many of its entries the rows are in the period. This prints "
            "where that differs from stored.txt, or from the number of all entries. A controller who counted a record among "
            "those of another time would not be found by it:"
        ),
        _command(_COUNTS),
        para(
            "This compares records.jsonl with stored.txt value by value, and prints what differs. A record that is older than "
            "the chain and is not in it is in records.jsonl alone:"
        ),
        _command(_VALUES),
        para(
            "Records outside the period, and links between sites, have their entries here and not their rows. To check these, "
            "ask the controller for a copy of the database. Their digests are made in the same way, of all columns but seq and "
            "salt of the tables consentkit_records and consentkit_links."
        ),
    ]


def _command(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(text)
