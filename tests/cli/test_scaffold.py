import ast
from pathlib import Path

import pytest

from consentkit.cli.project import FRAMEWORKS, DjangoSettings, Framework
from consentkit.cli.scaffold import (
    Answers,
    make_key,
    render_application,
    render_lines_to_add,
    render_policy,
    render_settings,
)
from consentkit.config.policy_file import load_policy


@pytest.mark.parametrize("language", ["en", "nl", "nl-BE", "de"])
def test_a_first_policy_loads_in_any_language(tmp_path: Path, language: str) -> None:
    (tmp_path / "consent.toml").write_text(render_policy(Answers(language=language)))
    policy = load_policy(tmp_path / "consent.toml")
    assert policy.languages == (language,)
    assert [category.id for category in policy.consent_needed] == ["analytics", "marketing", "media"]


def test_an_answer_cannot_break_out_of_its_string(tmp_path: Path) -> None:
    name = 'A "quoted" \\ name = [x] # é'
    (tmp_path / "consent.toml").write_text(render_policy(Answers(controller=name, site="${site}")))
    policy = load_policy(tmp_path / "consent.toml")
    assert policy.controller.name == name and policy.sites[0].name == "${site}"


WITH_APPLICATION = FRAMEWORKS[:-2]


@pytest.mark.parametrize("framework", WITH_APPLICATION)
def test_the_application_and_the_lines_to_add_are_python(framework: Framework) -> None:
    ast.parse(render_application(framework))
    addition = render_lines_to_add(framework, name="site")
    ast.parse(addition.manager)
    assert (
        "ConsentManager(" in addition.manager
        and f"consentkit.{framework}".replace("starlette", "asgi") in addition.manager
    )
    ast.parse(f"Litestar({addition.application})" if framework == "litestar" else addition.application)


def test_the_policy_declares_the_cookies_that_the_framework_sets(tmp_path: Path) -> None:
    for framework, names in (("flask", {"session"}), ("django", {"sessionid", "csrftoken", "messages"})):
        (tmp_path / "consent.toml").write_text(render_policy(Answers(language="nl"), framework))
        trackers = load_policy(tmp_path / "consent.toml").trackers
        assert {each.name for each in trackers if each.category == "necessary"} == names


def test_the_middleware_of_django_runs_inside_what_compresses() -> None:
    names = (
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "x.Other",
    )
    lines = render_settings(DjangoSettings(Path("settings.py"), names))
    assert 'MIDDLEWARE.insert(2, "consentkit.django.ConsentMiddleware")  # behind GZipMiddleware' in lines
    ast.parse(lines)
    assert "MIDDLEWARE.insert(0," in render_settings(DjangoSettings(Path("settings.py"), ()))


def test_each_new_key_is_different_and_long_enough() -> None:
    assert len(make_key()) >= 32 and make_key() != make_key()
