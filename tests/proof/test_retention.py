import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from consentkit.ledger import ChainRows, Ending, Ledger, Record, snapshot
from consentkit.ledger.tables import shown
from consentkit.policy import Duration
from consentkit.proof import Pruned, Retention, verify
from consentkit.proof.retention import last_end
from tests.support.postgres import Server
from tests.support.records import NOON, a_record

DAY = 86_400
KEPT = Duration.parse("P24M")
SITES = ("stride", "marathon")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'consent.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.address()
    ledger = Ledger(url, lock_timeout=30)
    yield ledger
    ledger.close()


def prune(ledger: Ledger, now: int, **options: bool | int) -> Pruned:
    *_, last = Retention(ledger, KEPT, SITES).prune(now, **options)  # type: ignore[arg-type]  # each has its own type
    assert last.done
    return last


def ids(ledger: Ledger) -> set[str]:
    return {record.id for record in ledger.records()}


def lasting(end: int, **changes: object) -> Record:
    return a_record(**({"subject": str(uuid.uuid4()), "at": end - 100, "expires_at": end} | changes))


def test_the_period_is_one_of_the_calendar() -> None:
    leap, day_before = 1_835_438_400, 1_898_510_400  # 2028-02-29T12:00Z, 2030-02-28T12:00Z
    assert KEPT.seconds_from(leap) == day_before
    # 29 February has no anniversary, so what ends that day is over with 28 February, as what ended the day before.
    assert last_end(KEPT, day_before) == leap - DAY
    assert last_end(KEPT, day_before + DAY // 2 - 1) >= leap
    assert last_end(KEPT, 0) == 0


def test_a_record_goes_when_validity_and_period_have_passed_and_not_a_second_before(
    ledger: Ledger,
) -> None:  # RC-09
    end = NOON + 184 * DAY
    record = lasting(end)
    ledger.append(record)
    assert prune(ledger, KEPT.seconds_from(end), dry_run=True).records == 1
    assert ids(ledger) == {record.id} and ledger.upkeep.last_pruning("stride") is None
    assert prune(ledger, KEPT.seconds_from(end) - 1).records == 0
    assert ids(ledger) == {record.id}
    assert prune(ledger, KEPT.seconds_from(end)).records == 1
    assert not ids(ledger)
    noted = ledger.upkeep.last_pruning("stride")
    assert noted is not None and (noted.at, noted.records_kept) == (KEPT.seconds_from(end), "P2Y")


def test_no_record_goes_as_long_as_the_visitor_has_a_younger_one_on_any_linked_site(
    ledger: Ledger,
) -> None:  # RC-09
    old, now = NOON, KEPT.seconds_from(NOON) + DAY
    first, here, there = (
        lasting(old, subject="a"),
        lasting(old, subject="b"),
        lasting(now, subject="c", site="marathon"),
    )
    alone, gone = lasting(old, subject="d"), lasting(old, subject="e", status="withdrawn", event="withdrawn")
    ledger.append(first, here, there, alone, gone)
    for pair in (("a", "h"), ("h", "b"), ("c", "b"), ("d", "i")):
        ledger.link(*pair, old)
    pruned = prune(ledger, now)
    assert (pruned.records, pruned.links, pruned.elsewhere) == (2, 1, 0)
    assert ids(ledger) == {first.id, here.id, there.id}
    assert ledger.linked("a") == {"a", "h", "b", "c"} and ledger.linked("d") == {"d"}
    assert prune(ledger, KEPT.seconds_from(now)).records == 3
    assert list(ledger.links()) == []
    with snapshot(ledger._database._engine) as connection:
        assert verify(ChainRows(connection)).is_unchanged


def test_what_has_no_pseudonym_goes_by_its_own_time_and_what_never_ends_stays(ledger: Ledger) -> None:
    old, now = NOON, KEPT.seconds_from(NOON)
    refused = lasting(old, subject=None, status="refused", event="refused")
    loaded = lasting(old, subject=None, status="unknown", event="loaded_once", expires_at=None, at=old)
    young = lasting(old + 1, subject=None, status="refused", event="refused")
    endless = lasting(old, expires_at=None)
    other = lasting(old, site="elsewhere")
    ledger.append(refused, loaded, young, endless, other)
    pruned = prune(ledger, now)
    assert (pruned.records, pruned.elsewhere) == (2, 1)
    assert ids(ledger) == {young.id, endless.id, other.id}


def test_counts_and_links_that_lead_nowhere_go_with_the_records(ledger: Ledger) -> None:
    now = KEPT.seconds_from(NOON)
    row: dict[str, str | int] = {
        "event": "refused",
        "notice": "n",
        "language": "nl",
        "surface": "banner",
        "choice": "x",
    }
    hours = [NOON - 3600 * hour for hour in range(60)]
    ledger.add_counts([row | {"site": "stride", "hour": hour, "count": 2} for hour in [*hours, NOON + 3600]])
    ledger.add_counts([row | {"site": "elsewhere", "hour": NOON, "count": 1}])
    places = {"notice": "n", "language": "nl", "surface": "banner", "count": 1}
    today = NOON - NOON % DAY
    for site, day in (("stride", today - DAY), ("stride", today), ("elsewhere", today - DAY)):
        ledger.add_shown([places | {"site": site, "day": day}])
    ledger.link("x", "y", NOON)
    ledger.link("v", "w", NOON + 1)
    assert prune(ledger, now, dry_run=True).counts == 60 and len(ledger.counts()) == 62
    pruned = prune(ledger, now)
    assert (pruned.counts, pruned.links) == (60, 1)
    assert {(each["site"], each["hour"]) for each in ledger.counts()} == {
        ("stride", NOON + 3600),
        ("elsewhere", NOON),
    }
    assert [first for first, _, _ in ledger.links()] == ["v"]
    # The day itself is not over yet.
    with snapshot(ledger._database._engine) as connection:
        left = connection.execute(select(shown.c.site, shown.c.day)).all()
    assert set(left) == {("stride", today), ("elsewhere", today - DAY)}


def test_who_decides_while_the_pruning_runs_keeps_everything(ledger: Ledger) -> None:
    now = KEPT.seconds_from(NOON)
    old = lasting(NOON, subject="s")
    ledger.append(old)
    # Found to be old, and then the visitor comes back.
    young = lasting(now + DAY, subject="s")
    ledger.append(young)
    removed = ledger.remove([old.id], reason="pruning", at=now, ending=Ending(NOON, SITES))
    assert removed.records == 0 and ids(ledger) == {old.id, young.id}


def test_a_poll_takes_a_removal_at_the_end_for_no_restored_backup(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append(*(lasting(NOON) for _ in range(300)))
    _, cursor = ledger.changes(None)
    epoch = ledger.epoch
    assert prune(ledger, KEPT.seconds_from(NOON), batch=64).records == 300
    assert ledger.changes(cursor) == ((), cursor)
    late = lasting(NOON)
    ledger.append(late)
    changed, _ = ledger.changes(cursor)
    assert [record.id for record in changed] == [late.id]
    assert ledger.epoch == epoch and not caplog.records


def test_in_order_a_pruning_ends_where_records_are_too_young(ledger: Ledger) -> None:
    now = KEPT.seconds_from(NOON)
    old, young, misplaced = lasting(NOON), [lasting(now) for _ in range(1200)], lasting(NOON)
    ledger.append(old, *young, misplaced)
    assert prune(ledger, now, in_order=True).records == 1
    assert prune(ledger, now).records == 1


def test_a_new_file_shrinks_a_little_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "consent.db"
    ledger = Ledger(f"sqlite:///{path}", lock_timeout=30)
    ledger.append(*(lasting(NOON) for _ in range(3000)))
    before = ledger.upkeep.pages()
    prune(ledger, KEPT.seconds_from(NOON))
    assert ledger.upkeep.gives_space_back()
    while ledger.upkeep.give_space_back():
        pass
    assert ledger.upkeep.pages() < before / 2
    ledger.close()
