from alembic.script import ScriptDirectory

from consentkit.ledger.tables import SCHEMA_VERSION
from consentkit.ledger.upgrade import _MIGRATIONS


def test_the_versions_follow_one_another_up_to_the_newest() -> None:
    scripts = list(ScriptDirectory(str(_MIGRATIONS)).walk_revisions())
    assert [int(script.revision) for script in scripts] == list(range(SCHEMA_VERSION, 0, -1))
    assert [script.down_revision for script in scripts] == ["3", "2", "1", None]
    assert all(script.doc for script in scripts)
    scripts[-1].module.upgrade()
