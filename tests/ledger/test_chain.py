import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import ChainRows, Ledger, snapshot
from consentkit.ledger.chain import ChainedInsert, canonical, digest_of, head_of
from consentkit.proof import Verification, verify
from tests.support.postgres import Server
from tests.support.records import a_record

WRITER = """
import sys
from consentkit.ledger import Ledger
from tests.support.records import a_record

ledger = Ledger(sys.argv[1], lock_timeout=30)
while True:
    record = a_record()
    ledger.append(record)
    print(record.id, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(a_record())
    yield ledger
    ledger.close()


def verification(url: str) -> Verification:
    with snapshot(url) as connection:
        return verify(ChainRows(connection))


def test_the_bytes_are_those_that_the_page_describes() -> None:
    assert canonical({"b": None, "a": 'é"\n', "c": 2**61, "d": True}) == (
        '{"a":"é\\"\\n","b":null,"c":2305843009213693952,"d":true}'
    )
    # printf '00{"a":"é"}' | sha256sum, and the same for the lines.
    assert digest_of("00", '{"a":"é"}') == DIGEST
    assert head_of("0" * 64, "1", 2, "record", None, "d") == HEAD


DIGEST = subprocess.run(
    ["sha256sum"], input='00{"a":"é"}'.encode(), capture_output=True, check=True
).stdout.decode()[:64]
HEAD = subprocess.run(
    ["sha256sum"], input=f"{'0' * 64}\n1\n2\nrecord\n\nd\n".encode(), capture_output=True, check=True
).stdout.decode()[:64]


def test_the_chain_is_whole_after_writers_were_killed(url: str, ledger: Ledger) -> None:
    command = [sys.executable, "-c", WRITER, url]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    acknowledged = set()
    for writer in writers:
        assert writer.stdout is not None
        acknowledged |= {writer.stdout.readline().strip() for _ in range(20)}
    for writer in writers:
        writer.kill()
        acknowledged |= {line.strip() for line in (writer.stdout or ()) if line.endswith("\n")}
        writer.communicate()
    result = verification(url)
    assert result.is_unchanged and result.rows["record"] > 60
    assert {record.id for record in ledger.records()} >= acknowledged


def test_writers_of_the_same_stream_take_turns(url: str, ledger: Ledger) -> None:
    other = Ledger(url, lock_timeout=30)
    for number in range(6):
        for each in (ledger, other):
            for statement in each._insert_statements.values():
                if isinstance(statement, ChainedInsert):
                    statement._chain._preferred = 0
            each.append(a_record(), a_record())
            each.link(f"{number}", f"{id(each)}", 0)
    result = verification(url)
    assert result.is_unchanged and result.rows == {"record": 25, "link": 12}
    other.close()


def test_a_stream_that_is_missing_is_reported(ledger: Ledger, url: str) -> None:
    with ledger._database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM consentkit_streams")
    with pytest.raises(LedgerUnavailableError, match="consentkit_streams has no stream"):
        ledger.append(a_record())
    assert len(list(ledger.records())) == 1
