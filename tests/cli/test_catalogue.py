import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app

EXAMPLE = Path(__file__).parents[1] / "consent.example.toml"
CATALOGUE = Path("locales/eo/LC_MESSAGES/consentkit.po")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a locked policy in English and Esperanto, where the command line runs."""
    text = EXAMPLE.read_text("utf-8").replace('"en", "nl"]', '"en", "eo"]').replace(" nl = ", " eo = ")
    (tmp_path / "consent.toml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert run("lock").exit_code == 0
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def found(*options: str) -> dict[str, list[str]]:
    said = json.loads(run("check", "--json", *options).stdout)
    return {
        kind: [row["message"] for row in said[kind] if row["key"] == "languages"]
        for kind in ("problems", "warnings")
    }


def test_a_language_without_catalogue_is_a_warning_and_with_the_folder_a_problem(place: Path) -> None:
    (place / "locales").mkdir()
    for options, kind, code in (((), "warnings", 0), (("--locales", "locales"), "problems", 1)):
        assert [text[:42] for text in found(*options)[kind]] == ["consentkit has no texts in this language. "]
        result = run("check", *options)
        assert result.exit_code == code and "consentkit catalogue eo" in result.output


def test_a_catalogue_is_written_and_check_counts_what_is_not_translated() -> None:
    result = run("catalogue", "eo")
    assert result.exit_code == 0 and f"{CATALOGUE}: 3" in result.output and "to translate" in result.output
    (warning,) = found("--locales", "locales")["warnings"]
    assert "not translated: visitors read English there" in warning
    body = CATALOGUE.read_text("utf-8")
    CATALOGUE.write_text(
        body.replace('msgid "Accept all"\nmsgstr ""', 'msgid "Accept all"\nmsgstr "Akcepti"')
    )
    number = int(warning.split()[0])
    assert f"{number - 1} texts to translate" in run("catalogue", "eo").output


def test_a_shipped_language_has_no_warning(place: Path) -> None:
    (place / "consent.toml").write_text(EXAMPLE.read_text("utf-8"), "utf-8")
    (place / "locales").mkdir()
    assert found("--locales", "locales") == {"problems": [], "warnings": []} == found()


def test_no_tag_and_a_damaged_catalogue_are_refused() -> None:
    wrong = run("catalogue", "../eo")
    assert wrong.exit_code == 2 and "not the tag of a language" in wrong.output
    assert run("catalogue", "eo").exit_code == 0
    CATALOGUE.write_text("msgid unquoted\n")
    for arguments in (("catalogue", "eo"), ("check", "--locales", "locales")):
        result = run(*arguments)
        assert result.exit_code == 1 and "Fix the catalogue" in result.output
