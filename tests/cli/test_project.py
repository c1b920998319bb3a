from pathlib import Path

import pytest

from consentkit.cli.project import (
    DjangoSettings,
    ExistingApplication,
    detect_framework,
    find_application,
    find_django_settings,
)
from consentkit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("files", "installed", "framework"),
    [
        ({"pyproject.toml": 'dependencies = ["FastAPI>=0.1"]'}, set(), "fastapi"),
        ({"requirements.txt": "starlette==1.0"}, {"fastapi"}, "starlette"),
        ({"app.py": "from starlette.applications import Starlette"}, {"fastapi", "starlette"}, "starlette"),
        ({}, {"fastapi", "starlette"}, "fastapi"),
        ({}, {"starlette"}, "starlette"),
        ({}, {"flask", "django", "starlette"}, "flask"),
        ({}, {"django", "starlette"}, "django"),
        ({"requirements.txt": "Flask-Cors\nQuart==0.20"}, set(), "quart"),
        ({"pyproject.toml": 'dev = ["django-stubs"]', "main.py": "import litestar"}, set(), "litestar"),
        ({"manage.py": "", "requirements.txt": "wagtail>=7\ndjango"}, set(), "wagtail"),
        ({"manage.py": "# no settings"}, {"fastapi"}, "django"),
        ({"app.py": "import nicegui, fastapi\nfrom fastapi import FastAPI"}, set(), "fastapi"),
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
    assert find_application(tmp_path) == ExistingApplication(tmp_path / "a/web.py", "api", "fastapi", 1)
    (tmp_path / "main.py").write_text(f"def create():\n    {made}    return app\n")
    assert find_application(tmp_path) == ExistingApplication(
        tmp_path / "main.py", "app", "starlette", 2, is_inside=True
    )


def test_without_a_framework_it_has_to_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--framework"):
        detect_framework(tmp_path, lambda name: None)


def test_a_framework_without_lines_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("sanic==25.3")
    with pytest.raises(ConfigurationError, match="uses sanic"):
        detect_framework(tmp_path, lambda name: True)


@pytest.mark.parametrize(
    ("code", "compression", "is_listed"),
    [
        ("app.add_middleware(GZipMiddleware, minimum_size=9)", ("GZipMiddleware", 3), False),
        ("app.add_middleware(BrotliMiddleware)", ("BrotliMiddleware", 3), False),
        ("more = [Middleware(GZipMiddleware)]", ("GZipMiddleware", 3), True),
        ("# app.add_middleware(GZipMiddleware)", None, False),
        ("app.add_middleware(SessionMiddleware)", None, False),
    ],
)
def test_compressing_middleware_is_found(
    tmp_path: Path, code: str, compression: tuple[str, int] | None, is_listed: bool
) -> None:
    (tmp_path / "app.py").write_text(f"import x\napp = FastAPI()\n{code}\n")
    found = find_application(tmp_path)
    assert found and (found.compression, found.is_listed) == (compression, is_listed)


MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings{}")\n'


@pytest.mark.parametrize(
    ("module", "file", "text", "middleware"),
    [
        ("", "mysite/settings.py", 'MIDDLEWARE = ["a.A", "b.B"]', ("a.A", "b.B")),
        (".dev", "mysite/settings/base.py", 'MIDDLEWARE = ("a.A", NAME)', ("a.A", "")),
        ("", "mysite/settings/__init__.py", "X = 1\nMIDDLEWARE = base()", ()),
        ("", "mysite/settings.py", "from base import *\nMIDDLEWARE += []", ()),
    ],
)
def test_the_settings_of_a_django_project_are_found(
    tmp_path: Path, module: str, file: str, text: str, middleware: tuple[str, ...]
) -> None:
    (tmp_path / "manage.py").write_text(MANAGE.format(module))
    (tmp_path / file).parent.mkdir(parents=True)
    if module:
        (tmp_path / "mysite/settings/dev.py").write_text("from .base import *\n")
    (tmp_path / file).write_text(text)
    assert find_django_settings(tmp_path) == DjangoSettings(tmp_path / file, middleware)


def test_a_directory_without_settings_has_no_django_project(tmp_path: Path) -> None:
    assert find_django_settings(tmp_path) is None
    (tmp_path / "manage.py").write_text(MANAGE.format(""))
    assert find_django_settings(tmp_path) is None
