"""“Use this choice on all our sites” in a real browser: three sites in two processes, with and without JavaScript."""

import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """Where the sites are, the file with the time that their processes share, and the process of the second site."""

    origins: dict[str, str]
    time: Path
    trailhead: ExitStack
    now: int = 1_795_953_600

    def advance(self, seconds: int = 2) -> None:
        """Move the clock of every process."""
        self.now += seconds
        self.time.write_text(str(self.now))


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Two sites in one process, and the third one in another."""
    folder = tmp_path_factory.mktemp("group")
    first = free_port(2)
    origins = {site: f"http://{site}.localhost:{first + (site == 'trailhead')}" for site in IDS}
    settings = {
        "origins": origins,
        "pairs": {site: new_pair() for site in IDS},
        "time": str(folder / "time"),
        "ledger": f"sqlite:///{folder / 'consent.db'}",
    }
    with ExitStack() as processes:
        group = Group(origins, folder / "time", processes.enter_context(ExitStack()))
        group.advance()
        group.trailhead.enter_context(a_process(settings, first + 1, "trailhead"))
        processes.enter_context(a_process(settings, first, "stride", "shoelab"))
        yield group


def a_process(settings: dict[str, Any], port: int, *sites: str) -> AbstractContextManager[str]:
    program = [
        "-m",
        "uvicorn",
        "tests.support.group_sites:app",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    served = json.dumps(settings | {"served": sites})
    return running(program, port=port, environment={SETTINGS: served})


# The tests that use this one come last, because nothing starts the second process again.
@pytest.fixture(scope="module")
def without_trailhead(group: Group) -> Group:
    """The group after the process of the second site has ended."""
    group.trailhead.close()
    return group


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
    """Press the button on a page of a site."""
    group.advance()
    page.goto(f"{group.origins[site]}{path}")
    page.get_by_role("button", name=BUTTON).click()


def granted(page: "Page", group: Group, site: str) -> str:
    page.goto(f"{group.origins[site]}/granted")
    return page.locator("body").inner_text().strip()


def others(site: str) -> list[str]:
    return [other for other in IDS if other != site]


# XS-03, XS-07
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
    expect(page.locator(".site-privacy-status")).to_contain_text(NAMES[site])


@pytest.mark.parametrize("javascript", [True], ids=["scripts"])
def test_the_button_in_the_dialog_ends_on_the_settings_page(
    page: "Page", group: Group, javascript: bool
) -> None:
    choose(page, group, "stride", "reject")
    group.advance()
    page.locator(".site-privacy .site-privacy-settings").click()
    page.get_by_role("dialog").get_by_role("button", name=BUTTON).click()
    expect(page.locator(STATE)).to_have_text("Your choice now also counts on Trailhead and Shoelab.")
    expect(page).to_have_url(f"{group.origins['stride']}/consent")


@SCRIPTS
def test_before_the_click_the_browser_asks_no_other_site_for_anything(
    page: "Page", group: Group, javascript: bool
) -> None:
    choose(page, group, "stride", "accept")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/consent", "/consent/sites"):
        page.goto(f"{group.origins['stride']}{path}", wait_until="networkidle")
        expect(page.get_by_role("button", name=BUTTON)).to_be_visible()
    assert asked and all(address.startswith(group.origins["stride"]) for address in asked)


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
            "Your choice now also counts on Shoelab. Trailhead did not answer.", timeout=15_000
        )
    expect(page).to_have_url(f"{group.origins['stride']}/consent/sites")
