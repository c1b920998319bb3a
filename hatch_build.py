"""Compile the message catalogues when the package is built or installed editable.

The catalogues (`.po`) are sources; what gettext reads (`.mo`) is made from them here and kept out of the
repository. Run as a script it does the same in the working tree.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogues(package: Path) -> list[Path]:
    """Write a `.mo` next to every `.po` under the package's `locales`, and return what was written."""
    written = []
    for source in sorted(package.glob("locales/*/LC_MESSAGES/*.po")):
        with source.open("rb") as lines:
            catalogue = read_po(lines, locale=source.parts[-3], abort_invalid=True)
        # Babel would write the time of the build, and no two builds would be alike.
        catalogue.creation_date = datetime(2020, 2, 2, tzinfo=UTC)
        target = source.with_suffix(".mo")
        with target.open("wb") as compiled:
            write_mo(compiled, catalogue)
        written.append(target)
    return written


class CatalogueBuildHook(BuildHookInterface[Any]):
    """Hatchling's hook: runs before the files of a wheel, an sdist or an editable install are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile into the tree that is being built; `artifacts` in pyproject.toml lets the result in."""
        compile_catalogues(Path(self.root) / "consentkit/ui")


if __name__ == "__main__":
    compile_catalogues(Path(__file__).parent / "consentkit/ui")
