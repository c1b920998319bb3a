import re
from pathlib import Path

import pytest

from consentkit import ConsentManager
from consentkit._catalogue_files import (
    catalogue_files,
    languages_without_catalogue,
    require_catalogues,
    shipped_languages,
)
from consentkit.errors import ConfigurationError
from tests.support.told import EXAMPLE, policy_of

KEY = "a key that the tests of languages sign with"


def folder_of(root: Path, *names: str, suffix: str = ".po") -> Path:
    for name in names:
        path = root / name / "LC_MESSAGES" / f"consentkit{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n')
    return root


@pytest.mark.parametrize(
    ("language", "found"),
    [
        ("pt-BR", ["own/pt_BR", "own/pt", "shipped/pt"]),
        ("pt-AO", ["own/pt", "shipped/pt"]),
        ("zh-Hant-TW", ["own/zh_Hant"]),
        ("zh-Hans", []),
        ("sr-Latn-RS", []),
        ("sr", ["own/sr"]),
        ("no", ["shipped/nb"]),
        ("no-NO", ["shipped/nb"]),
        ("nn", []),
        ("iw", ["shipped/he"]),
        ("eo", []),
    ],
)
def test_catalogues_of_the_whole_tag_come_first_and_the_script_is_kept(
    tmp_path: Path, language: str, found: list[str]
) -> None:
    own = folder_of(tmp_path / "own", "pt_BR", "pt", "zh_Hant", "zh", "sr")
    shipped = folder_of(tmp_path / "shipped", "pt", "nb", "he", suffix=".mo")
    names = [path.relative_to(tmp_path).parts[:2] for path in catalogue_files(language, (own, shipped))]
    assert ["/".join(name) for name in names] == found


def test_a_source_is_read_in_place_of_what_was_compiled_from_it(tmp_path: Path) -> None:
    folder_of(folder_of(tmp_path, "eo"), "eo", suffix=".mo")
    assert [path.suffix for path in catalogue_files("eo", (tmp_path,))] == [".po"]


def test_shipped_languages_and_english_need_no_catalogue_of_the_site() -> None:
    assert len(shipped_languages()) >= 32
    assert languages_without_catalogue([*shipped_languages(), "en-GB", "no", "de-CH", "pt-BR"]) == []


def test_the_documentation_lists_the_languages_that_are_included() -> None:
    page = (Path(__file__).parents[1] / "docs/how-to/languages.md").read_text("utf-8")
    listed = page.partition("## The languages that are included")[2].partition("Your own texts")[0]
    assert sorted(re.findall(r"\(`([\w-]+)`\)", listed)) == shipped_languages()


def test_a_policy_in_a_language_without_catalogue_is_refused_with_what_to_do(tmp_path: Path) -> None:
    def texts_in_esperanto(value: object) -> object:
        if isinstance(value, dict):
            if "en" in value:
                return {"eo": value["en"]}
            return {key: texts_in_esperanto(one) for key, one in value.items()}
        return [texts_in_esperanto(one) for one in value] if isinstance(value, list) else value

    changed = texts_in_esperanto(EXAMPLE)
    assert isinstance(changed, dict)
    policy = policy_of(**(changed | {"languages": ["eo"]}))
    with pytest.raises(
        ConfigurationError, match=r"'eo'.*consentkit catalogue eo.*locales=.*Included are ar, bg"
    ):
        ConsentManager(policy, secret_key=KEY, ledger="sqlite://", site="stride")
    with pytest.raises(ConfigurationError, match=r"and '.*' has none"):
        ConsentManager(policy, secret_key=KEY, ledger="sqlite://", site="stride", locales=tmp_path)
    ConsentManager(
        policy, secret_key=KEY, ledger="sqlite://", site="stride", locales=folder_of(tmp_path, "eo")
    )
    require_catalogues(["en", "nb"])
