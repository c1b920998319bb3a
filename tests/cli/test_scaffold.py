import ast
from pathlib import Path

import pytest

from consentkit.cli.scaffold import (
    FRAMEWORKS,
    Answers,
    ExistingApplication,
    Framework,
    detect_framework,
    find_application,
    make_key,
    render_application,
    render_lines_to_add,
    render_policy,
)
from consentkit.config.policy_file import load_policy
from consentkit.errors import ConfigurationError


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


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_application_and_the_lines_to_add_are_python(framework: Framework) -> None:
    ast.parse(render_application(framework))
    added = render_lines_to_add(framework)
    ast.parse(added)
    assert "ConsentManager(" in added and "add_middleware" in added


@pytest.mark.parametrize(
    ("files", "installed", "framework"),
    [
        ({"pyproject.toml": 'dependencies = ["FastAPI>=0.1"]'}, set(), "fastapi"),
        ({"requirements.txt": "starlette==1.0"}, {"fastapi"}, "starlette"),
        ({"app.py": "from starlette.applications import Starlette"}, {"fastapi", "starlette"}, "starlette"),
        ({}, {"fastapi", "starlette"}, "fastapi"),
        ({}, {"starlette"}, "starlette"),
    ],
)
def test_the_framework_is_the_mentioned_one_else_the_installed_one(
    tmp_path: Path, files: dict[str, str], installed: set[str], framework: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert detect_framework(tmp_path, lambda name: name in installed) == framework


def test_the_nearest_application_is_found_but_none_of_others(tmp_path: Path) -> None:
    made = "app = Starlette(routes=[])\n"
    assert find_application(tmp_path) is None
    for folder in ("venv/lib", ".venv/lib", "tests", "a/b/c/d"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "app.py").write_text(made)
    assert find_application(tmp_path) is None
    (tmp_path / "app.py").write_text("# soon\n")
    assert find_application(tmp_path) == ExistingApplication(tmp_path / "app.py")
    (tmp_path / "a/web.py").write_text("api: FastAPI = fastapi.FastAPI()\n")
    assert find_application(tmp_path) == ExistingApplication(tmp_path / "a/web.py", "api", "fastapi")
    (tmp_path / "main.py").write_text(f"def create():\n    {made}    return app\n")
    assert find_application(tmp_path) == ExistingApplication(tmp_path / "main.py", "app", "starlette")


def test_without_a_framework_it_has_to_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--framework"):
        detect_framework(tmp_path, lambda name: None)


def test_each_new_key_is_different_and_long_enough() -> None:
    assert len(make_key()) >= 32 and make_key() != make_key()
