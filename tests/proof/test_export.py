import csv
import io
import json
from dataclasses import asdict

from consentkit.proof import VisitorHistory, as_csv, as_json
from tests.proof.conftest import HOSTILE
from tests.support.records import NOON


def test_json_has_every_field_as_it_is_stored(history: VisitorHistory) -> None:  # RC-09
    told = json.loads("".join(as_json(history, NOON + 60)))
    assert told["records"] == [asdict(record) for record in history.records]
    assert told["links"] == [{"from": "a", "to": "b", "at": NOON}]
    assert told["notices"] == {"n" * 43: {"controller": HOSTILE}}
    (words,) = told["renderings"].values()
    assert words["html"].endswith(HOSTILE)
    assert (told["reference"], told["exported_at"]) == ("b", "2026-08-31T12:01:00Z")


def test_csv_has_a_row_for_everything(history: VisitorHistory) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(as_csv(history)), newline="")))
    assert [row["kind"] for row in rows] == ["record", "record", "record", "link", "notice", "rendering"]
    assert json.loads(rows[0]["categories"]) == history.records[0].categories
    assert (rows[0]["gpc"], rows[1]["expires_at"], rows[0]["jurisdiction"]) == ("false", "", HOSTILE)
    assert (rows[3]["subject"], rows[3]["content"], rows[3]["at"]) == ("a", "b", str(NOON))
    assert json.loads(rows[4]["content"]) == {"controller": HOSTILE}
    assert rows[5]["content"].endswith(HOSTILE)
