import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from typer.testing import CliRunner, Result

from consentkit import ConsentManager, Ledger, load_policy
from consentkit.asgi import ConsentMiddleware
from consentkit.cli.group_check import Response, check_running, get
from consentkit.cli.policy import app as command
from consentkit.config.policy_file import PolicyFile
from consentkit.errors import PolicyProblem
from consentkit.handoff.keys import new_pair, public_half
from tests.support.family import KEY
from tests.support.servers import free_port, serving

EXAMPLE = (Path(__file__).parents[1] / "consent.example.toml").read_text(encoding="utf-8")
SITES = ("stride", "trailhead")
PAIRS = {site: new_pair() for site in SITES}


def text(*, keys: bool = True, **changes: str) -> str:
    """Return the example policy for its two sites, with keys and with some texts replaced."""
    found = EXAMPLE.replace('# public_key = "..."', "#")
    for site in SITES if keys else ():
        origin = f'origin = "https://{site}.example"\n'
        found = found.replace(origin, f'{origin}public_key = "{PAIRS[site][1]}"\n', 1)
    for old, new in changes.items():
        assert old in found
        found = found.replace(old, new)
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "consent.toml").write_text(text(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def policy(place: Path) -> PolicyFile:
    return load_policy(place / "consent.toml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["group", *arguments])


def test_a_new_pair_of_keys_is_printed_with_the_place_of_each_half(place: Path) -> None:
    (place / "consent.toml").write_text(text(keys=False), encoding="utf-8")
    result = run("key", "trailhead")
    assert result.exit_code == 0, result.output
    words = result.output.split()
    private = next(word for word in words if len(word) == 43 and not word.startswith('"'))
    assert f'public_key = "{public_half(private)}"' in result.output
    assert (
        "consent.toml" in result.output and "(trailhead)" in result.output and "nowhere else" in result.output
    )
    assert "already has a key" not in result.output and private not in run("key", "trailhead").output
    assert (place / "consent.toml").read_text(encoding="utf-8") == text(keys=False)


def test_a_new_key_for_a_site_with_a_key_comes_with_a_warning(place: Path) -> None:
    assert "already has a key" in run("key", "stride").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("key", "nowhere"),
        ("check", "--origin", "stride"),
        ("check", "--origin", "stride="),
        ("check", "--origin", "nowhere=http://localhost:1"),
        ("check", "--private-key", "stride=missing"),
    ],
)
def test_wrong_arguments_are_refused(place: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.output.strip()


def test_missing_keys_wrong_keys_and_unlisted_sites_are_found_offline(
    place: Path,
) -> None:
    assert run("check", "--offline").exit_code == 0
    (place / "right").write_text(PAIRS["stride"][0] + "\n")
    (place / "wrong").write_text(PAIRS["stride"][0])
    (place / "none").write_text("nothing")
    assert run("check", "--offline", "--private-key", "stride=right").exit_code == 0
    result = run("check", "--offline", "--private-key", "trailhead=wrong", "--json")
    (problem,) = json.loads(result.stdout)
    assert problem["key"] == "sites.trailhead.public_key" and PAIRS["stride"][1] in problem["remedy"]
    assert "not base64url" in run("check", "--offline", "--private-key", "trailhead=none").output
    assert CliRunner().invoke(command, ["lock"]).exit_code == 0
    moved = text(keys=False, **{"https://trailhead.example": "https://trails.example"})
    (place / "consent.toml").write_text(moved, encoding="utf-8")
    result = run("check", "--offline")
    assert result.exit_code == 1 and "2 sites, 3 problems" in result.output
    assert "does not list this site" in result.output and "consentkit group key trailhead" in result.output


def test_a_single_site_is_not_a_group(place: Path) -> None:
    one = text(keys=False)
    start = one.index("[[sites]]", one.index("[[sites]]") + 1)
    one = one[:start] + one[one.index("[[categories]]") :]
    one = one.replace("[group]", "[ignored]")
    group = one.index("[ignored]")
    one = one[:group] + one[one.index("[[sites]]") :]
    one = one.replace("combines_across_sites = true", "combines_across_sites = false")
    (place / "consent.toml").write_text(one, encoding="utf-8")
    result = run("check")
    assert result.exit_code == 1 and "no group" in result.output


Run = Callable[..., dict[str, str]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    """`running(policies=…, **options)` serves both sites and gives their origins."""
    with ExitStack() as servers:
        ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}")
        servers.callback(ledger.close)

        def serve(
            policies: Mapping[str, PolicyFile], *, origins: dict[str, str] | None = None, **options: Any
        ) -> dict[str, str]:
            port = free_port(len(SITES))
            found = {site: f"http://{site}.localhost:{port + place}" for place, site in enumerate(SITES)}
            for place, site in enumerate(SITES):
                manager = ConsentManager(
                    policies[site],
                    secret_key=KEY,
                    ledger=ledger,
                    site=site,
                    origins=found | (origins or {}) | {site: found[site]},
                    private_key=PAIRS[site][0] if policies[site].site(site).public_key else None,
                    **options,
                )
                servers.callback(manager.close)
                app = ConsentMiddleware(Starlette(routes=[]), manager)
                servers.enter_context(serving(app, port=port + place))
            return found

        yield serve


def keys_of(problems: Iterator[PolicyProblem]) -> list[str]:
    return [problem.key for problem in problems]


def test_running_sites_that_agree_have_no_problems(policy: PolicyFile, running: Run) -> None:
    origins = running(dict.fromkeys(SITES, policy))
    result = run("check", *(part for site in SITES for part in ("--origin", f"{site}={origins[site]}")))
    assert result.exit_code == 0 and "2 sites, 0 problems" in result.output, result.output


def test_a_site_with_another_notice_is_found(policy: PolicyFile, running: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(text(**{"P6M": "P5M"}), encoding="utf-8")
    origins = running({"stride": policy, "trailhead": load_policy(other)})
    (problem,) = check_running(policy, origins)
    assert problem.key == "trailhead.notice" and "the notice of this policy is" in problem.message


def test_a_site_that_expects_another_origin_is_found(policy: PolicyFile, running: Run) -> None:
    origins = running(dict.fromkeys(SITES, policy), origins={"stride": "https://stride.example"})
    assert keys_of(check_running(policy, origins)) == [
        "trailhead.origin",
        "stride.handoff",
        "trailhead.handoff",
    ]


def test_sites_that_run_without_keys_are_found(policy: PolicyFile, running: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(text(keys=False), encoding="utf-8")
    origins = running(dict.fromkeys(SITES, load_policy(other)))
    # Without keys the notice does not list the cookies of the hand-off.
    assert keys_of(check_running(policy, origins)) == [
        "stride.notice",
        "trailhead.notice",
        "stride.handoff",
        "trailhead.handoff",
    ]


def test_a_wrong_prefix_an_unreachable_site_and_another_server_are_found(
    policy: PolicyFile, running: Run, serve: Callable[..., str]
) -> None:
    origins = running(dict.fromkeys(SITES, policy), prefix="/cookies")
    assert keys_of(check_running(policy, origins)) == ["stride.origin", "trailhead.origin"]
    assert keys_of(check_running(policy, origins, prefix="/cookies")) == []
    nobody = {"stride": f"http://localhost:{free_port()}"}
    (problem,) = check_running(policy, nobody)
    assert "cannot be reached" in problem.message
    somebody = serve(
        Starlette(routes=[Route("/consent/sites.json", lambda request: PlainTextResponse("hello"))])
    )
    assert keys_of(check_running(policy, {"stride": somebody})) == ["stride.origin"]


@pytest.mark.parametrize(
    ("ahead", "wrong"), [(0, []), (25, []), (3600, ["trailhead.clock"]), (-3600, ["trailhead.clock"])]
)
def test_a_wrong_clock_is_found(policy: PolicyFile, ahead: int, wrong: list[str]) -> None:
    origins = {site: f"https://{site}.example" for site in SITES}
    overview = {
        "notice": policy.notices[-1].digest,
        "sites": [{"id": site, "origin": origin} for site, origin in origins.items()],
    }

    def answer(address: str, headers: Mapping[str, str]) -> Response:
        if "/handoff/" in address:
            raise OSError("gone")
        now = 1_788_177_600 + (ahead if "trailhead" in address else 0)
        return Response(200, {"date": formatdate(now, usegmt=True)}, json.dumps(overview).encode())

    found = keys_of(check_running(policy, origins, fetch=answer, clock=lambda: 1_788_177_600))
    assert [key for key in found if not key.endswith(".handoff")] == wrong


def test_a_site_that_does_not_list_all_sites_is_found(policy: PolicyFile) -> None:
    overview = {
        "notice": policy.notices[-1].digest,
        "sites": [{"id": "stride", "origin": "https://stride.example"}],
    }

    def answer(address: str, headers: Mapping[str, str]) -> Response:
        return Response(200, {}, json.dumps(overview).encode())

    origins = {site: f"https://{site}.example" for site in SITES}
    assert keys_of(check_running(policy, origins, fetch=answer))[:2] == ["stride.sites", "trailhead.sites"]


def test_an_untrusted_certificate_is_refused(serve: Callable[..., str]) -> None:
    base = serve(Starlette(routes=[]))
    assert get(base, {}).status == 404
    with pytest.raises(OSError, match="SSL"):
        get(base.replace("http:", "https:"), {})
