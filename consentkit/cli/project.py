"""The project that `consentkit init` finds: its web framework, its application, and what compresses its pages."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from consentkit.errors import ConfigurationError

__all__ = [
    "APPLICATION",
    "FRAMEWORKS",
    "DjangoSettings",
    "ExistingApplication",
    "Framework",
    "detect_framework",
    "find_application",
    "find_django_settings",
]

Framework = Literal["starlette", "fastapi", "litestar", "quart", "flask", "django", "wagtail"]
FRAMEWORKS: tuple[Framework, ...] = (
    "starlette",
    "fastapi",
    "litestar",
    "quart",
    "flask",
    "django",
    "wagtail",
)
# What stands on another framework comes before it. Starlette is last, because the library itself requires it.
_BY_PRECEDENCE: tuple[Framework, ...] = (
    "wagtail",
    "django",
    "fastapi",
    "litestar",
    "quart",
    "flask",
    "starlette",
)
_OTHERS = (
    "aiohttp",
    "blacksheep",
    "bottle",
    "dash",
    "datasette",
    "falcon",
    "gradio",
    "nicegui",
    "pyramid",
    "sanic",
    "streamlit",
    "tornado",
)
APPLICATION = "app.py"
"""Name of the application file that `consentkit init` writes."""
_CLASSES: dict[str, Framework] = {
    "Starlette": "starlette",
    "FastAPI": "fastapi",
    "Litestar": "litestar",
    "Quart": "quart",
    "Flask": "flask",
}
_ASSIGNMENT = re.compile(
    r"^(?P<indent>[ \t]*)(?P<name>\w+)(?:[ \t]*:[^=\n]+)?[ \t]*=[ \t]*(?:\w+\.)*"
    rf"(?P<class>{'|'.join(_CLASSES)})\(",
    re.MULTILINE,
)
_COMPRESSION = re.compile(
    r"^[^#\n]*?\b(?:add_middleware\(|Middleware\()\s*(?P<name>\w*(?:GZip|Brotli|Compress)\w*)", re.MULTILINE
)
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")
_MAX_DEPTH = 3
_SKIPPED_FOLDERS = frozenset(
    {"build", "dist", "docs", "env", "node_modules", "site-packages", "test", "tests", "venv"}
)


@dataclass(frozen=True, slots=True)
class ExistingApplication:
    """A file with an application.

    Attributes:
        path: of the file.
        name: of the application in the file.
        framework: the application's, if the file shows it.
        line: where the application is made; 0 if the file does not show it.
        is_inside: whether that is inside a function.
        compression: name and line of the middleware that compresses pages; None without one.
        is_listed: whether that middleware is in a list of middleware, and not added by a call.
    """

    path: Path
    name: str = "app"
    framework: Framework | None = None
    line: int = 0
    is_inside: bool = False
    compression: tuple[str, int] | None = None
    is_listed: bool = False


def find_application(directory: Path) -> ExistingApplication | None:
    """Return the application nearest to a directory, or an `app.py` there whatever it contains, or None."""
    for path in _sources(directory):
        text = path.read_text("utf-8", "replace")
        made = _ASSIGNMENT.search(text)
        if made:
            compressing = _COMPRESSION.search(text)
            return ExistingApplication(
                path,
                made["name"],
                _CLASSES[made["class"]],
                _line(text, made.start("name")),
                bool(made["indent"]),
                (compressing["name"], _line(text, compressing.start("name"))) if compressing else None,
                compressing is not None and "add_middleware" not in compressing[0],
            )
    path = directory / APPLICATION
    return ExistingApplication(path) if path.exists() else None


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _sources(directory: Path, depth: int = _MAX_DEPTH) -> Iterator[Path]:
    """Yield Python files, those of a folder before those of its subfolders."""
    entries = sorted(directory.iterdir()) if directory.is_dir() else []
    yield from (path for path in entries if path.suffix == ".py" and path.is_file())
    for path in entries if depth else ():
        if path.is_dir() and not path.name.startswith((".", "__")) and path.name not in _SKIPPED_FOLDERS:
            yield from _sources(path, depth - 1)


def detect_framework(directory: Path, installed: Callable[[str], object] = find_spec) -> Framework:
    """Return the framework of a project: the one that its files mention, else the installed one.

    Raises:
        ConfigurationError: no framework is mentioned or installed, or the project has another one.
    """
    mentioned = _mentioned(directory)
    for framework in _BY_PRECEDENCE:
        if framework in mentioned:
            return framework
    others = sorted(mentioned.intersection(_OTHERS))
    if others:
        raise ConfigurationError(
            f"This project uses {others[0]}, for which init has no lines. "
            'The guide "Use it with other frameworks" shows them; write the policy with --framework starlette.'
        )
    # Django without a project can have no application, so others are tried first.
    for framework in (*_BY_PRECEDENCE[2:-1], *_BY_PRECEDENCE[:2], _BY_PRECEDENCE[-1]):
        if installed(framework):
            return framework
    raise ConfigurationError(
        f"No framework was detected: choose one with --framework, of {', '.join(FRAMEWORKS)}."
    )


def _mentioned(directory: Path) -> set[str]:
    """Return the packages that requirements, settings or the application of a project name."""
    found: set[str] = {"django"} if (directory / "manage.py").is_file() else set()
    settings = find_django_settings(directory)
    files = [directory / name for name in ("pyproject.toml", "requirements.txt", "app.py", "main.py")]
    if settings is not None:
        files.append(settings.path)
    for path in files:
        if path.is_file():
            text = path.read_text("utf-8", "replace").lower()
            found.update(
                name
                for name in (*FRAMEWORKS, *_OTHERS)
                if re.search(rf"(?:^|[\"'\s]){name}(?![\w-])", text, re.MULTILINE)
            )
    return found


@dataclass(frozen=True, slots=True)
class DjangoSettings:
    """The settings of a Django project.

    Attributes:
        path: of the file with MIDDLEWARE.
        middleware: the names in MIDDLEWARE, as far as they are written there.
    """

    path: Path
    middleware: tuple[str, ...]

    @property
    def place(self) -> tuple[int, str]:
        """The index in MIDDLEWARE for our middleware, and the middleware before it.

        What compresses or keeps responses has to run around ours.
        """
        outer = [
            index
            for index, name in enumerate(self.middleware)
            if re.search(r"SecurityMiddleware|WhiteNoise|GZip|Brotli|Compression|UpdateCache", name)
        ]
        return (outer[-1] + 1, self.middleware[outer[-1]]) if outer else (0, "")


def find_django_settings(directory: Path) -> DjangoSettings | None:
    """Return the settings that `manage.py` names, or the file of their folder that has MIDDLEWARE; None without either."""
    manage = directory / "manage.py"
    found = _SETTINGS.search(manage.read_text("utf-8", "replace")) if manage.is_file() else None
    if not found:
        return None
    named = directory.joinpath(*found[1].split(".")).with_suffix(".py")
    for path in (named, named.with_name("base.py"), named.with_suffix("") / "__init__.py"):
        if path.is_file() and "MIDDLEWARE" in (text := path.read_text("utf-8", "replace")):
            return DjangoSettings(path, _middleware(text))
    return None


def _middleware(text: str) -> tuple[str, ...]:
    """Return the names in the list MIDDLEWARE of a settings file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "MIDDLEWARE" for name in node.targets
        ):
            elements = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else []
            return tuple(
                each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else ""
                for each in elements
            )
    return ()
