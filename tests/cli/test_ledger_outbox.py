import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.console import out
from consentkit.cli.policy import app
from consentkit.ledger import Entries, Ledger, Message, Plan
from tests.support.records import NOON, a_record


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", "outbox", "--ledger", url, *arguments])


def shown(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(url, "--json").stdout)
    return found


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with a message that waits, one that failed, and one that was given up."""
    monkeypatch.setattr(out, "width", 200)
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    ledger = Ledger(url)
    messages = tuple(
        Message(
            id=f"msg_{name}",
            record="a-record",
            site="stride",
            endpoint=endpoint,
            type="consent.withdrawn",
            body='{"data":{"subject":"a-pseudonym"}}',
            created_at=NOON,
            gives_up_at=NOON + 7,
        )
        for name, endpoint in (("dead", "ads"), ("failed", "crm"), ("waiting", "crm"))
    )
    ledger.carry_out(Plan(work_out=lambda view: Entries(messages=messages)))
    for endpoint in ("ads", "crm"):
        row = ledger.outbox.claim("stride", [endpoint], NOON, 60)
        assert row is not None
        ledger.outbox.failed(row, "HTTP status 500 [x]", NOON + 3600)
        if endpoint == "ads":
            ledger.outbox.give_up(row, "HTTP status 500", NOON + 7)
    ledger.close()
    return url


def test_messages_are_listed_with_their_state_and_without_pseudonyms(url: str) -> None:
    result = run(url)
    assert result.exit_code == 1, "a message was given up"
    lines = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if "msg_" in line}
    assert "ads" in lines["msg_dead"] and "dead" in lines["msg_dead"]
    assert "HTTP status 500 [x]" in lines["msg_failed"] and "2026-08-31T13:00:00Z" in lines["msg_failed"]
    assert "3 messages: 2 waiting, 1 dead, 0 gone." in result.stdout
    assert "a-pseudonym" not in result.stdout + json.dumps(shown(url))


def test_list_as_json(url: str) -> None:
    found = shown(url)
    assert found["counts"] == {"waiting": 2, "dead": 1, "gone": 0}
    assert found["messages"][1] == {
        "id": "msg_failed",
        "type": "consent.withdrawn",
        "record": "a-record",
        "site": "stride",
        "endpoint": "crm",
        "state": "waiting",
        "created": "2026-08-31T12:00:00Z",
        "attempts": 1,
        "next_attempt": "2026-08-31T13:00:00Z",
        "error": "HTTP status 500 [x]",
    }
    assert (found["messages"][0]["next_attempt"], found["messages"][2]["error"]) == (None, None)


def test_long_list_is_cut(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.cli.ledger_outbox.MOST_SHOWN", 1)
    assert "3 messages, the oldest 1 shown" in run(url).stdout


def test_message_that_was_given_up_is_sent_again(url: str) -> None:
    result = run(url, "--retry", "msg_dead")
    assert result.exit_code == 0 and "3 waiting" in result.stdout


def test_all_messages_are_sent_again(url: str) -> None:
    assert run(url, "--retry-all").exit_code == 0
    assert {row["next_attempt"][:4] for row in shown(url)["messages"]} != {"2026-08"}


def test_message_is_dropped(url: str) -> None:
    assert run(url, "--drop", "msg_dead").exit_code == 0
    assert [row["id"] for row in shown(url)["messages"]] == ["msg_failed", "msg_waiting"]


def test_empty_outbox(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    ledger = Ledger(url)
    ledger.append(a_record())
    ledger.close()
    result = run(url)
    assert result.exit_code == 0 and "0 messages" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (["--retry", "msg_none"], "has no message msg_none"),
        (["--drop", "msg_none"], "has no message msg_none"),
        (["--retry-all", "--drop", "msg_dead"], "only one of"),
    ],
)
def test_what_cannot_be_done_is_reported(url: str, arguments: list[str], because: str) -> None:
    result = run(url, *arguments)
    assert result.exit_code == 2 and because in result.stderr


def test_ledger_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "consent.db").write_bytes(b"no database at all" * 100)
    assert run(f"sqlite:///{tmp_path / 'consent.db'}").exit_code == 2
