"""Figures against a slow way to work them out, and what nobody can learn from them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.testclient import TestClient

from consentkit import trusted_header
from consentkit.ledger import DAY, WITHDRAWN_WITHIN, Ledger, Record, snapshot
from consentkit.proof import figures_as_csv, figures_as_data, figures_page
from consentkit.proof.figures import BATCH, VisitorFigures, batches, figures_of, share
from tests.conftest import Clock
from tests.support.figures import FIRST, LAST, NOTICE, SITES, VENDORS, Drawn, answered, fill, second, visit
from tests.support.postgres import Server
from tests.support.regimes import policy_with_regimes
from tests.support.sites import managing
from tests.support.sites import site as serving_site

MONTH = st.lists(st.integers(0, 12), min_size=1, max_size=31)


# Batches


@given(MONTH, st.data())
def test_every_period_is_a_multiple_of_five_that_is_less_than_five_from_the_truth(
    numbers: list[int], data: st.DataObject
) -> None:
    published = list(batches(numbers))
    start = data.draw(st.integers(0, len(numbers) - 1))
    end = data.draw(st.integers(start + 1, len(numbers)))
    assert all(number >= 0 and number % BATCH == 0 for number in published)
    assert abs(sum(published[start:end]) - sum(numbers[start:end])) < BATCH
    assert 0 <= sum(numbers) - sum(published) < BATCH


@given(MONTH, st.data())
def test_one_visitor_more_changes_no_period_by_anything_but_a_whole_batch(
    numbers: list[int], data: st.DataObject
) -> None:
    day = data.draw(st.integers(0, len(numbers) - 1))
    more = [*numbers[:day], numbers[day] + 1, *numbers[day + 1 :]]
    published, others = list(batches(numbers)), list(batches(more))
    for start in range(len(numbers)):
        for end in range(start + 1, len(numbers) + 1):
            assert abs(sum(others[start:end]) - sum(published[start:end])) in (0, BATCH)


@given(MONTH, st.data())
def test_a_period_fits_at_least_five_true_numbers(numbers: list[int], data: st.DataObject) -> None:
    published = list(batches(numbers))
    start = data.draw(st.integers(0, len(numbers) - 1))
    end = data.draw(st.integers(start + 1, len(numbers)))
    fitting = set()
    # The true sum up to each day lies within five numbers from what was published up to it.
    for before in range(BATCH if start else 1):
        for after in range(BATCH):
            sums, total = [], 0
            for number, day in enumerate(published, 1):
                total += day
                inside = before if number <= start else after
                sums.append(total + inside)
            days = [each - last for each, last in zip(sums, [0, *sums], strict=False)]
            if min(days) >= 0:
                assert list(batches(days)) == published
                fitting.add(sum(days[start:end]))
    assert len(fitting) >= BATCH


# Accepted and partly have categories in common; accepted, partly and rejected GPC; classes of times are all withdrawals.
@pytest.mark.parametrize("parts", [2, 3, len(WITHDRAWN_WITHIN) + 1])
def test_a_part_fits_at_least_three_true_numbers_next_to_its_whole(parts: int) -> None:
    fitting: dict[int, list[set[int]]] = defaultdict(lambda: [set() for _ in range(parts)])
    # What is left over of each part, whatever was published of it; by what is published of the whole.
    for left in product(range(BATCH), repeat=parts):
        for place, number in enumerate(left):
            fitting[sum(left) // BATCH][place].add(number)
    assert min(len(numbers) for places in fitting.values() for numbers in places) >= 3


def test_shares_are_whole_per_cents() -> None:
    assert (share(5, 15), share(0, 5), share(10, 5), share(5, 0)) == (33, 0, 100, None)


def test_there_are_no_shares_of_a_whole_that_rounding_matters_for() -> None:
    one = VisitorFigures(date(2026, 9, 30), date(2026, 11, 1), ("stride",), {})
    assert (one.least_whole, replace(one, sites=SITES).least_whole) == (300, 600)
    assert replace(one, first=one.last).least_whole == 100
    assert (share(190, 165, 300), share(5, 295, 300), share(5, 300, 300)) == (None, None, 2)


# Ledgers


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


def figures(
    url: str, first: date = FIRST, last: date = LAST, sites: tuple[str, ...] = SITES
) -> VisitorFigures:
    with snapshot(url) as connection:
        return figures_of(connection, sites, first, last)


def store(url: str, visits: list[list[Record]]) -> None:
    ledger = Ledger(url, lock_timeout=30)
    fill(ledger, visits)
    ledger.close()


def slowly(visits: list[list[Record]]) -> Counter[tuple[str, str, str, int]]:
    """Count the visitors of each site, cell and day, with everything in memory."""
    found: Counter[tuple[str, str, str, int]] = Counter()
    for records in visits:
        seen = set()
        for record in records:
            kind = "grant" if record.event in ("given", "changed", "renewed") else record.event
            day = datetime.fromtimestamp(record.at, UTC)
            if (kind, day.year, day.month) not in seen:
                seen.add((kind, day.year, day.month))
                for cell in cells(kind, record, records[0]):
                    found[record.site, *cell, record.at // DAY] += 1
    return found


def cells(kind: str, record: Record, first: Record) -> Iterator[tuple[str, str]]:
    if kind == "withdrawn":
        hours = (record.at - first.at) / 3600
        yield "withdrawn", ""
        yield "within", str(sum(hours >= end for end in (1, 24, 168, 720, 2160, 4368)))
    elif kind == "loaded_once":
        yield "loaded_once", ""
    else:
        if record.gpc:
            yield "gpc", ""
        if record.surface == "banner":
            yield "on_banner", ""
        if kind == "refused":
            yield "rejected", ""
        else:
            allowed = {
                vendor: record.vendors.get(vendor, record.categories[own]) for vendor, own in VENDORS.items()
            }
            yield ("accepted" if all((*allowed.values(), *record.categories.values())) else "partly"), ""
            yield from (("category", name) for name, is_on in record.categories.items() if is_on)
            yield from (("vendor", name) for name, is_on in allowed.items() if is_on)


def test_figures_are_the_batches_of_what_the_records_say(url: str) -> None:
    drawn = Drawn(13)
    visits = [visit(drawn) for _ in range(700)]
    store(url, visits)
    expected = slowly(visits)
    for number in range(second(FIRST) // DAY, second(LAST) // DAY + 1):
        for site in SITES:
            for surface in ("banner", "asked_again", "embed"):
                expected[site, "shown", surface, number] += number % 7
    for day, kind in ((FIRST, "rejected"), (FIRST, "on_banner"), (FIRST, "loaded_once"), (LAST, "rejected")):
        expected["stride", kind, "", second(day) // DAY] += 4
    found = figures(url)
    compared = 0
    for site, kind, which in {key[:3] for key in expected}:
        days = found.days
        published = []
        month_of = [day.replace(day=1) for day in days]
        for month in dict.fromkeys(month_of):
            last = min(LAST, (month + timedelta(days=31)).replace(day=1) - timedelta(days=1))
            whole = range(second(month) // DAY, second(last) // DAY + 1)
            numbers = list(batches(expected[site, kind, which, day] for day in whole))
            published += numbers[max(0, (FIRST - month).days) :]
        assert found.by_day(kind, which, site=site) == published, (site, kind, which)
        compared += sum(published)
    assert compared > 1000
    assert figures(url, sites=("stride",)).total("accepted") == found.total("accepted", site="stride")
    # Another period of the same days is made of the same batches.
    week = figures(url, date(2026, 10, 5), date(2026, 10, 11))
    start = (week.first - FIRST).days
    assert week.by_day("partly") == found.by_day("partly")[start : start + 7]


def test_two_ledgers_that_differ_by_one_visitor_differ_by_whole_batches_or_not_at_all(tmp_path: Path) -> None:
    base = [visit(Drawn(seed)) for seed in range(60)]
    paths = iter(range(1000))

    @settings(max_examples=12)
    @given(st.integers(10_000, 2**32))
    def compare(seed: int) -> None:
        urls = [f"sqlite:///{tmp_path / f'{next(paths)}.db'}" for _ in range(2)]
        store(urls[0], base)
        store(urls[1], [*base, visit(Drawn(seed))])
        one, other = map(figures, urls)
        for site in SITES:
            for kind, which in {*one.cells.get(site, {}), *other.cells.get(site, {})}:
                days = one.by_day(kind, which, site=site), other.by_day(kind, which, site=site)
                assert all(number % BATCH == 0 for numbers in days for number in numbers)
                # A visitor counts once a month.
                assert abs(sum(days[0]) - sum(days[1])) <= BATCH * 3

    compare()


def test_figures_of_fewer_than_five_are_empty(url: str) -> None:
    drawn = Drawn(1)
    store(
        url,
        [[answered(drawn, second(date(2026, 10, 2)), f"s{number}", site="stride")] for number in range(4)],
    )
    found = figures(url, date(2026, 10, 1), date(2026, 10, 31))
    assert found.answered() == found.total("gpc") == 0
    assert found.which("category") == dict.fromkeys(("analytical", "social", "tracking"), 0)
    assert found.quartiles() is None and sum(found.withdrawn_within()) == 0


def test_banners_without_an_answer_are_known_only_where_as_many_banners_were_counted(url: str) -> None:
    drawn = Drawn(1)
    at = second(date(2026, 10, 2))
    grants = [[answered(drawn, at, f"s{number}", site="stride", surface="banner")] for number in range(10)]
    store(url, [*grants, [answered(drawn, at, "t", site="elsewhere")]])
    found = figures(url, date(2026, 10, 1), date(2026, 10, 31))
    assert found.total("shown", "banner", site="stride") > 10
    sent = sum(found.total("shown", each) for each in ("banner", "asked_again"))
    assert found.not_answered_on_banner() == sent - 10
    assert figures(url, date(2026, 10, 1), date(2026, 10, 31), ("nobody",)).not_answered_on_banner() is None


def test_quartiles_are_classes_of_times(url: str) -> None:
    drawn = Drawn(1)
    at, visits = second(date(2026, 10, 2)), []
    for number, took in enumerate([60] * 5 + [90_000] * 10 + [20_000_000] * 5):
        grant = answered(drawn, at - took, f"s{number}", site="stride")
        gone = answered(
            drawn, at, f"s{number}", site="stride", event="withdrawn", status="withdrawn", expires_at=None
        )
        visits.append([grant, gone])
    # A withdrawal without its grant, which was pruned, is one all the same.
    for number in range(5):
        gone = answered(
            drawn, at, f"t{number}", site="stride", event="withdrawn", status="withdrawn", expires_at=None
        )
        visits.append([gone])
    store(url, visits)
    found = figures(url, date(2026, 10, 1), date(2026, 10, 31))
    assert found.withdrawn_within() == [5, 0, 10, 0, 0, 0, 5]
    assert found.quartiles() == (0, 2, 2) and found.total("withdrawn") == 25


def test_damaged_answers_count_as_nothing(url: str) -> None:
    drawn = Drawn(1)
    at = second(date(2026, 10, 2))
    store(url, [[answered(drawn, at, f"s{number}", site="stride")] for number in range(5)])
    ledger = Ledger(url)
    with ledger._database.transaction() as connection:
        connection.execute(text("UPDATE consentkit_records SET categories = '[1'"))
    ledger.close()
    found = figures(url, date(2026, 10, 1), date(2026, 10, 31))
    assert found.answered() == 0 and found.which("category") == {}


def test_the_notice_of_a_grant_tells_which_vendors_a_category_has(url: str) -> None:
    drawn = Drawn(1)
    at = second(date(2026, 10, 2))
    everything = {"analytical": True, "tracking": True, "social": True}
    grants = [
        [
            answered(
                drawn,
                at,
                f"s{number}{notice[0]}",
                site="stride",
                categories=everything,
                vendors={},
                notice=notice,
            )
        ]
        for number in range(5)
        for notice in (NOTICE, "u" * 43)
    ]
    store(url, grants)
    found = figures(url, date(2026, 10, 1), date(2026, 10, 31))
    # Nobody knows the vendors of the other notice.
    assert found.total("accepted") == 10 and found.which("vendor") == dict.fromkeys(sorted(VENDORS), 5)


def test_answers_where_nothing_needs_consent_are_no_rejections(
    clock: Clock, ledger: Ledger, ledger_url: str
) -> None:
    policy = policy_with_regimes(us="opt_out")
    location = trusted_header(country="X-Country", region="X-Region", peers=["10.0.0.1"])
    everywhere = {"accept_all": "accepted", "reject_all": "rejected"}
    in_california = {"accept_all": "left_on", "reject_all": "opted_out"}
    with managing(policy, ledger=ledger, clock=clock, location=location) as manager:
        for headers, expected in (({}, everywhere), ({"x-country": "US", "x-region": "CA"}, in_california)):
            for choice in expected:
                for _ in range(BATCH):
                    client = TestClient(
                        serving_site(manager), base_url="https://stride.example", client=("10.0.0.1", 1)
                    )
                    answer = client.post("/consent/decision", json={"choice": choice}, headers=headers)
                    assert answer.status_code == 200
        first = datetime.fromtimestamp(clock(), UTC).date()
        # Past the limits, answers are counted and not recorded.
        notice = next(record.notice for record in ledger.records() if record.jurisdiction == "us-ca")
        hour = int(clock()) // 3600 * 3600
        row = {"hour": hour, "event": "refused", "site": manager.site, "notice": notice, "language": "en"}
        counted = (("accept_all", BATCH), ("reject_all", 2 * BATCH), ("save", BATCH))
        ledger.add_counts(
            [row | {"surface": "banner", "choice": choice, "count": count} for choice, count in counted]
        )
        with snapshot(ledger_url) as connection:
            figures = figures_of(connection, [manager.site], first, first)
    kinds = ("accepted", "partly", "rejected", "left_on", "opted_out", "on_banner")
    numbers = [BATCH, 0, BATCH, 2 * BATCH, 3 * BATCH, 4 * BATCH]
    assert [figures.total(kind) for kind in kinds] == numbers
    assert figures.answered() == 2 * BATCH
    data = figures_as_data(figures, policy)
    assert data["opt_outs"] == {"opted_out": 3 * BATCH, "left_on": 2 * BATCH}
    assert f"left_on,,,,{2 * BATCH},," in figures_as_csv(data).splitlines()
    assert "Left everything on" in figures_page(data)
