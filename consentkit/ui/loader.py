"""The loader: the script at an address that stays, for pages that Python does not send.

It puts into a page what pages for all visitors get from the server. `script/loader.js` is its code, and `LoaderData` in
`script/types.d.ts` describes its data.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import Evaluator
from consentkit.ui.assets import inline_style, loader_script, shipped_assets
from consentkit.ui.fragments import View
from consentkit.ui.pages import Pages
from consentkit.ui.script_tag import ScriptTag

__all__ = ["Loader"]

_PLACE_OF_DATA = '"consentkit page"'
_MOST_KEPT = 64

Scripts = Iterable[tuple[str, Mapping[str, str | None]]]


class Loader:
    """The loader of one site.

    Args:
        pages: of the site.
        script_tag: of the site.
        evaluator: of the site.
        extra: plain names of further scripts that pages of the site load, each with the attributes of its tag.
        remote_extra: the same for pages of another origin.
    """

    def __init__(
        self,
        pages: Pages,
        script_tag: ScriptTag,
        evaluator: Evaluator,
        extra: Scripts = (),
        remote_extra: Scripts = (),
    ) -> None:
        self._pages = pages
        self._script_tag = script_tag
        self._evaluator = evaluator
        # By language and root path. A browser asks for the loader with every page.
        self._made: BoundedCache[tuple[str, str], str] = BoundedCache(_MOST_KEPT)
        self._extra, self._remote_extra = _served(extra), _served(remote_extra)

    def script(self, language: str, root_path: str = "") -> str:
        """Return the script, which is the same for every visitor who prefers a language.

        Args:
            language: the language of the settings link.
            root_path: where the application is mounted.
        """
        script = self._made.get((language, root_path))
        if script is None:
            script = self._made[language, root_path] = self._script(language, root_path)
        return script

    def _script(self, language: str, root_path: str) -> str:
        pages, assets = self._pages, shipped_assets()
        view = View(language=language, consent=self._evaluator.undecided(), root_path=root_path)
        data: dict[str, Any] = {
            "tag": self._script_tag.public_data(pages.language(language)),
            "script": assets["consent.js"].hashed_name,
            "remote": assets["remote.js"].hashed_name,
            "extra": self._extra,
            "remoteExtra": self._remote_extra,
            "stylesheet": assets["consent.css"].hashed_name,
            "style": inline_style()[0],
            "settings": pages.settings(view).strip(),
        }
        return loader_script().replace(_PLACE_OF_DATA, json.dumps(data, separators=(",", ":")))


def _served(scripts: Scripts) -> dict[str, dict[str, str]]:
    """Return the attributes that scripts have, by the names under which the scripts are served."""
    return {
        shipped_assets()[name].hashed_name: {key: value for key, value in data.items() if value is not None}
        for name, data in scripts
    }
