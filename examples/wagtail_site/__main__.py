"""Start the club's site: `python -m examples.wagtail_site --port 8000`. The first start makes its tables and its page.

`python -m examples.wagtail_site createsuperuser` makes an editor for http://localhost:8000/admin/, and other commands of Django
work as they do with `manage.py`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.management import call_command, execute_from_command_line

__all__ = ["main"]

HERE = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    """Serve the site until interrupted, or run a command of Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.wagtail_site.settings")
    if arguments and not arguments[0].startswith("-"):
        execute_from_command_line(["python -m examples.wagtail_site", *arguments])
        return
    parser = argparse.ArgumentParser(prog="python -m examples.wagtail_site", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where keys and databases are kept")
    options = parser.parse_args(arguments)
    os.environ["WAGTAIL_SITE_DATA"] = str(options.data.absolute())
    os.environ["WAGTAIL_SITE_PORT"] = str(options.port)
    import django

    django.setup()
    from examples.wagtail_site.club.first_page import add_first_page

    call_command("migrate", verbosity=0)
    add_first_page()
    call_command("runserver", f"localhost:{options.port}", "--noreload")


if __name__ == "__main__":
    main(sys.argv[1:])
