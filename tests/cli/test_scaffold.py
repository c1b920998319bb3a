import ast
from pathlib import Path

import pytest

from consentkit.cli.scaffold import (
    FRAMEWORKS,
    Answers,
    Existing,
    Framework,
    application,
    found_application,
    found_framework,
    lines_to_add,
    new_key,
    policy_text,
)
from consentkit.config.policy_file import load_policy
from consentkit.errors import ConfigurationError


@pytest.mark.parametrize("language", ["en", "nl", "nl-BE", "de"])
def test_a_first_policy_loads_in_every_language(tmp_path: Path, language: str) -> None:
    (tmp_path / "consent.toml").write_text(policy_text(Answers(language=language)))
    policy = load_policy(tmp_path / "consent.toml")
    assert policy.languages == (language,)
    assert [category.id for category in policy.consent_needed] == ["analytical", "social"]


def test_what_is_answered_cannot_break_out_of_its_place(tmp_path: Path) -> None:
    name = 'A "quoted" \\ name = [x] # é'
    (tmp_path / "consent.toml").write_text(policy_text(Answers(controller=name, site="${site}")))
    policy = load_policy(tmp_path / "consent.toml")
    assert policy.controller.name == name and policy.sites[0].name == "${site}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_application_and_the_lines_for_one_are_python(framework: Framework) -> None:
    ast.parse(application(framework))
    added = lines_to_add(framework)
    ast.parse(added)
    assert "ConsentManager(" in added and "add_middleware" in added


@pytest.mark.parametrize(
    ("files", "installed", "found"),
    [
        ({"pyproject.toml": 'dependencies = ["FastAPI>=0.1"]'}, set(), "fastapi"),
        ({"requirements.txt": "starlette==1.0"}, {"fastapi"}, "starlette"),
        ({"app.py": "from starlette.applications import Starlette"}, {"fastapi", "starlette"}, "starlette"),
        ({}, {"fastapi", "starlette"}, "fastapi"),
        ({}, {"starlette"}, "starlette"),
    ],
)
def test_the_framework_is_found_by_what_is_named_then_by_what_is_there(
    tmp_path: Path, files: dict[str, str], installed: set[str], found: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert found_framework(tmp_path, lambda name: name in installed) == found


def test_an_application_is_found_near_before_far_and_not_in_what_others_wrote(tmp_path: Path) -> None:
    made = "app = Starlette(routes=[])\n"
    assert found_application(tmp_path) is None
    for folder in ("venv/lib", ".venv/lib", "tests", "a/b/c/d"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "app.py").write_text(made)
    assert found_application(tmp_path) is None
    (tmp_path / "app.py").write_text("# soon\n")
    assert found_application(tmp_path) == Existing(tmp_path / "app.py")
    (tmp_path / "a/web.py").write_text("api: FastAPI = fastapi.FastAPI()\n")
    assert found_application(tmp_path) == Existing(tmp_path / "a/web.py", "api", "fastapi")
    (tmp_path / "main.py").write_text(f"def create():\n    {made}    return app\n")
    assert found_application(tmp_path) == Existing(tmp_path / "main.py", "app", "starlette")


def test_where_there_is_none_it_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--framework"):
        found_framework(tmp_path, lambda name: None)


def test_each_key_is_another_one_and_long_enough() -> None:
    assert len(new_key()) >= 32 and new_key() != new_key()
