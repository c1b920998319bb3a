"""“Use this choice on all our sites” in a real browser: three sites in two processes, with and without JavaScript."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, expect

from consentkit.handoff.keys import new_pair
from tests.support.browser import launched
from tests.support.group_sites import SETTINGS
from tests.support.servers import free_port, running

if TYPE_CHECKING:
    from playwright.sync_api import Page

IDS = ("stride", "trailhead", "shoelab")
NAMES = {site: site.title() for site in IDS}
BUTTON = "Use this choice on all our sites"
STATE = ".consent-carry-state"
ALL = "given: analytical social tracking"
SCRIPTS = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])


@dataclass
class Group:
    """Where the sites are, and the file with the time that their processes share."""

    origins: dict[str, str]
    time: Path
    now: int = 1_795_953_600

    def advance(self, seconds: int = 2) -> None:
        """Move the clock of every process."""
        self.now += seconds
        self.time.write_text(str(self.now))


@contextmanager
def a_group(folder: Path, *, absent: str = "") -> Iterator[Group]:
    """Run two sites in one process and the third one in another. Nothing listens where the absent one would be."""
    folder.mkdir(exist_ok=True)
    first = free_port(3)
    homes = {("stride", "shoelab"): first, ("trailhead",): first + 1}
    ports = {site: port for sites, port in homes.items() for site in sites}
    if absent:
        ports[absent] = first + 2
    group = Group({site: f"http://{site}.localhost:{ports[site]}" for site in IDS}, folder / "time")
    group.advance()
    settings = {
        "origins": group.origins,
        "pairs": {site: new_pair() for site in IDS},
        "time": str(group.time),
        "ledger": f"sqlite:///{folder / 'consent.db'}",
    }
    with ExitStack() as processes:
        for sites, port in homes.items():
            served = settings | {"served": sites}
            program = [
                "-m",
                "uvicorn",
                "tests.support.group_sites:app",
                "--port",
                str(port),
                "--log-level",
                "warning",
            ]
            processes.enter_context(running(program, port=port, environment={SETTINGS: json.dumps(served)}))
        yield group


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with a_group(tmp_path_factory.mktemp("group")) as group:
        yield group


@pytest.fixture(scope="module")
def without_trailhead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with a_group(tmp_path_factory.mktemp("without"), absent="trailhead") as group:
        yield group


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, javascript: bool) -> Iterator["Page"]:
    context = browser.new_context(java_script_enabled=javascript)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def choose(page: "Page", group: Group, site: str, button: str) -> None:
    """Answer the banner of a site, two seconds after what was chosen before."""
    group.advance()
    page.goto(f"{group.origins[site]}/")
    page.locator(f".cookie-consent-{button}-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)


def withdraw(page: "Page", group: Group, site: str) -> None:
    group.advance()
    page.goto(f"{group.origins[site]}/")
    page.locator("form[action$='/withdraw'] button").click()
    expect(page.locator("form[action$='/withdraw']")).to_have_count(0)


def carry(page: "Page", group: Group, site: str, path: str = "/consent") -> None:
    """Press the button on a page of a site. Until then the browser asks no other site for anything."""
    group.advance()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{group.origins[site]}{path}", wait_until="networkidle")
    assert asked and all(address.startswith(group.origins[site]) for address in asked)
    page.get_by_role("button", name=BUTTON).click()


def granted(page: "Page", group: Group, site: str) -> str:
    page.goto(f"{group.origins[site]}/granted")
    return page.locator("body").inner_text().strip()


def others(site: str) -> list[str]:
    return [other for other in IDS if other != site]


@SCRIPTS
@pytest.mark.parametrize("site", IDS)
@pytest.mark.parametrize("choice", ["accept", "reject", "withdraw"])
def test_a_choice_reaches_every_site_whatever_was_chosen_there(
    page: "Page", group: Group, site: str, choice: str, javascript: bool
) -> None:
    choose(page, group, site, "reject" if choice == "reject" else "accept")
    for other in others(site):
        choose(page, group, other, "reject" if choice == "accept" else "accept")
    if choice == "withdraw":
        withdraw(page, group, site)
    here = "/consent/sites" if choice == "reject" else "/consent?next=/granted"
    carry(page, group, site, here)
    expect(page).to_have_url(f"{group.origins[site]}{here}")
    first, second = (NAMES[other] for other in others(site))
    expect(page.locator(STATE)).to_have_text(f"Your choice now also counts on {first} and {second}.")
    page.reload()
    expect(page.locator(STATE)).to_have_text("")
    expected = {"accept": ALL, "reject": "refused:", "withdraw": "withdrawn:"}[choice]
    assert {granted(page, group, each) for each in IDS} == {expected}
    left = {cookie["name"] for cookie in page.context.cookies(list(group.origins.values()))}
    assert left == {"consent", "consent-state", "consent-from"}
    page.goto(f"{group.origins[others(site)[0]]}/")
    expect(page.locator(".cookie-consent-arrival")).to_contain_text(NAMES[site])


@SCRIPTS
@pytest.mark.parametrize("choice", ["accept", "reject", "withdraw"])
def test_a_site_that_is_absent_is_named_and_the_other_one_takes_the_choice(
    page: "Page", without_trailhead: Group, choice: str, javascript: bool
) -> None:
    group = without_trailhead
    choose(page, group, "shoelab", "accept" if choice != "accept" else "reject")
    choose(page, group, "stride", "reject" if choice == "reject" else "accept")
    if choice == "withdraw":
        withdraw(page, group, "stride")
    carry(page, group, "stride")
    if not javascript:
        expect(page).to_have_url("chrome-error://chromewebdata/")
        page.go_back()
        expect(page.locator(STATE)).to_have_text("Trailhead has not answered yet.")
        page.get_by_role("link", name="Try Trailhead again").click()
        expect(page).to_have_url("chrome-error://chromewebdata/")
        page.go_back()
        page.get_by_role("link", name="Go on without Trailhead").click()
    expect(page).to_have_url(f"{group.origins['stride']}/consent")
    expect(page.locator(STATE)).to_have_text(
        "Your choice now also counts on Shoelab. Trailhead did not answer."
    )
    expected = {"accept": ALL, "reject": "refused:", "withdraw": "withdrawn:"}[choice]
    assert granted(page, group, "stride") == granted(page, group, "shoelab") == expected


@pytest.mark.parametrize("javascript", [True], ids=["scripts"])
def test_a_site_that_never_answers_is_waited_for_in_sight_and_then_left_out(
    page: "Page", without_trailhead: Group, javascript: bool
) -> None:
    group = without_trailhead
    choose(page, group, "stride", "reject")
    with socket.create_server(("127.0.0.1", int(group.origins["trailhead"].rpartition(":")[2]))):
        carry(page, group, "stride", "/consent/sites")
        expect(page.get_by_role("status")).to_have_text("Asking Trailhead and Shoelab …")
        expect(page.locator(STATE)).to_have_text(
            "Your choice now also counts on Shoelab. Trailhead did not answer."
        )
    expect(page).to_have_url(f"{group.origins['stride']}/consent/sites")


@pytest.mark.parametrize("javascript", [True], ids=["scripts"])
def test_the_button_in_the_dialog_ends_on_the_settings_page(
    page: "Page", group: Group, javascript: bool
) -> None:
    choose(page, group, "stride", "reject")
    group.advance()
    page.locator(".cookie-consent-footer .cookie-consent-settings").click()
    page.get_by_role("dialog").get_by_role("button", name=BUTTON).click()
    expect(page.locator(STATE)).to_have_text("Your choice now also counts on Trailhead and Shoelab.")
    expect(page).to_have_url(f"{group.origins['stride']}/consent")
