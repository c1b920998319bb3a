import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import ChainRows, snapshot, tables
from consentkit.ledger.chain import ChainedInsert, append_removal, append_to_log
from consentkit.ledger.ledger import Ledger
from consentkit.proof import SigningKey, open_note
from tests.support.chained import execute, three_writers
from tests.support.old_ledgers import fill
from tests.support.records import a_record

KEY = SigningKey.new("example.org/consent")


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["ledger", *arguments], env=environment)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    three_writers(url, 12)
    return url


@pytest.fixture
def note(url: str, tmp_path: Path) -> Path:
    key = tmp_path / "key"
    key.write_text(f"{KEY.text}\n", "ascii")
    done = run("checkpoint", "--ledger", url, "--key", str(key), "--to", str(tmp_path / "note"))
    assert (done.exit_code, done.output) == (0, "")
    return tmp_path / "note"


@contextmanager
def receiving(status: int) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Run a server that takes notes, or refuses them."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.command, self.path, body))
            self.send_response(status)
            self.end_headers()

        do_POST = do_PUT

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def test_a_ledger_is_verified(url: str) -> None:
    done = run("verify", "--ledger", url)
    assert done.exit_code == 0
    assert "12 records and 1 link are in the chain" in done.output and "Nothing was changed." in done.output


def test_a_ledger_is_verified_against_a_note(url: str, note: Path) -> None:
    compared = ("verify", "--ledger", url, "--against", str(note), "--public-key", KEY.public.text)
    done = run(*compared)
    assert done.exit_code == 0 and "checkpoint of example.org/consent" in done.output
    execute(url, "DELETE FROM consentkit_records")
    execute(url, "DELETE FROM consentkit_links")
    execute(url, "DELETE FROM consentkit_chain")
    execute(url, "UPDATE consentkit_streams SET n = 0, head = base_head")
    assert run("verify", "--ledger", url).exit_code == 0
    done = run(*compared)
    assert done.exit_code == 1 and "cut off: Stream 0: The checkpoint has 5 entries" in done.output


def test_the_first_changed_record_is_named(url: str) -> None:
    execute(url, "UPDATE consentkit_records SET choice = 'reject_all' WHERE seq > 5")
    done = run("verify", "--ledger", url)
    assert done.exit_code == 1
    assert "\nchanged: The record 6 with the id" in done.output and "Nothing was changed" not in done.output


def test_many_findings_are_shortened(url: str) -> None:
    execute(url, "UPDATE consentkit_records SET choice = 'reject_all'")
    assert "... and 2 more" in run("verify", "--ledger", url).output


def test_the_result_is_printed_as_json(url: str, note: Path) -> None:
    execute(url, "DELETE FROM consentkit_records WHERE seq = 4")
    arguments = ("--against", str(note), "--public-key", KEY.public.text, "--json")
    done = run("verify", "--ledger", url, *arguments)
    found = json.loads(done.stdout)
    assert done.exit_code == 1 and found["unchanged"] is False
    assert found["rows"] == {"record": 11, "link": 1} and found["against"]["size"] == 13
    assert [(each["what"], each["seq"]) for each in found["findings"]] == [("removed", 4)]
    assert json.loads(run("verify", "--ledger", url, "--json").stdout)["against"] is None


def test_what_the_chain_does_not_prove_is_said(url: str) -> None:
    # As after an upgrade, a pruning, and an upgrade that was interrupted.
    ledger = Ledger(url, lock_timeout=30)
    with ledger._database.transaction() as connection:
        append_to_log(connection, "start", {"before": {"records": 100, "links": 100}})
        append_to_log(connection, "adoption", {"at": 5, "records": 3})
        append_removal(connection, "pruning", [(tables.records, 1)], at=5)
        connection.execute(tables.records.delete().where(tables.records.c.seq == 1))
    ledger.close()
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        fill(connection, a_record())
    engine.dispose()
    done = run("verify", "--ledger", url)
    assert done.exit_code == 0
    assert "1 row removed by pruning" in done.output
    assert "3 rows stored before the chain began; the chain proves them since the upgrade" in done.output
    assert "2 rows stored before the chain began, about which it proves nothing" in done.output


def test_a_stream_that_was_cut_off_is_named_whatever_the_log_says(url: str, note: Path) -> None:
    ledger = Ledger(url, lock_timeout=30)
    for statement in ledger._insert_statements.values():
        if isinstance(statement, ChainedInsert):
            statement._chain._preferred = -os.getpid()
    ledger.append(a_record())
    with snapshot(url) as connection:
        end = ChainRows(connection).streams()[0]
    with ledger._database.transaction() as connection:
        append_to_log(
            connection, "pruning", {"at": 5, "removed": [["0", 1, end.n]], "cut": {"0": [end.n, end.head]}}
        )
    ledger.close()
    execute(
        url,
        "DELETE FROM consentkit_records WHERE seq IN (SELECT ref FROM consentkit_chain WHERE stream = '0')",
    )
    execute(url, "DELETE FROM consentkit_links")
    execute(url, "DELETE FROM consentkit_chain WHERE stream = '0'")
    execute(url, "UPDATE consentkit_streams SET base_n = n, base_head = head WHERE stream = '0'")
    done = run("verify", "--ledger", url, "--against", str(note), "--public-key", KEY.public.text)
    assert done.exit_code == 1 and "Entries were cut off its beginning." in done.output


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consentkit_streams SET n = 'x' WHERE stream = 'f'",
        "UPDATE consentkit_streams SET head = x'00' WHERE stream = 'f'",
        "UPDATE consentkit_streams SET stream = 'A B' WHERE stream = 'f'",
    ],
)
def test_no_note_is_signed_that_nobody_could_read(url: str, statement: str) -> None:
    execute(url, statement)
    done = run("checkpoint", "--ledger", url, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
    assert done.exit_code == 2 and "consentkit_streams was changed by others" in done.output


@pytest.mark.parametrize("place", ["https://me:hidden@notes.example/x", "ftp://me:hidden@notes.example/x"])
def test_a_password_in_the_place_of_notes_is_refused_and_not_printed(url: str, place: str) -> None:
    done = run("checkpoint", "--ledger", url, "--to", place, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
    assert done.exit_code == 2 and "--to: expected" in done.output and "hidden" not in done.output


def test_a_note_is_printed(url: str) -> None:
    done = run("checkpoint", "--ledger", url, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
    assert done.exit_code == 0
    assert open_note(done.stdout, KEY.public).size == 13


@pytest.mark.parametrize("method", ["PUT", "post"])
def test_a_note_is_sent(url: str, method: str) -> None:
    with receiving(201) as (address, received):
        to = ("--to", f"{address}/notes?site=1", "--method", method)
        done = run("checkpoint", "--ledger", url, *to, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
    assert (done.exit_code, done.output) == (0, "")
    ((used, path, body),) = received
    assert (used, path) == (method.upper(), "/notes?site=1")
    assert open_note(body.decode(), KEY.public).size == 13


def test_a_note_that_nobody_takes_is_reported(url: str) -> None:
    with receiving(403) as (address, _):
        done = run("checkpoint", "--ledger", url, "--to", address, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
        assert done.exit_code == 2 and "answered with status 403" in done.output
        to = ("--to", address, "--method", "GET")
        done = run("checkpoint", "--ledger", url, *to, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
        assert done.exit_code == 2 and "expected PUT or POST" in done.output
    done = run("checkpoint", "--ledger", url, "--to", address, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
    assert done.exit_code == 2 and "refused" in done.output
    to = ("--to", "https://127.0.0.1:1/x")
    assert run("checkpoint", "--ledger", url, *to, CONSENTKIT_CHECKPOINT_KEY=KEY.text).exit_code == 2


def test_what_does_not_speak_http_takes_no_note(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"what?\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        to = ("--to", f"http://127.0.0.1:{server.getsockname()[1]}")
        done = run("checkpoint", "--ledger", url, *to, CONSENTKIT_CHECKPOINT_KEY=KEY.text)
        thread.join()
    assert done.exit_code == 2 and "did not take the note" in done.output


def test_a_new_key_is_printed() -> None:
    done = run("checkpoint", "--new-key", "example.net")
    lines = [line.strip() for line in done.output.splitlines()]
    (private,) = (line for line in lines if line.startswith("PRIVATE+KEY+example.net+"))
    assert done.exit_code == 0 and SigningKey.read(private).public.text in lines


def test_what_is_missing_is_named(url: str, note: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("checkpoint", "--ledger", url), "There is no key."),
        (("checkpoint", "--key", str(tmp_path / "key")), "There is no ledger."),
        (("checkpoint", "--key", str(tmp_path / "other"), "--ledger", url), "No such file"),
        (("checkpoint", "--new-key", "a b"), "without white space"),
        (("verify", "--ledger", url, "--against", str(note)), "--against needs --public-key"),
        (("verify", "--ledger", url, "--against", str(note), "--public-key", "x"), "not an Ed25519 key"),
        (("verify", "--ledger", f"sqlite:///{tmp_path / 'no.db'}"), "no ledger at"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2 and words in done.output, done.output
