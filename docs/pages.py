"""Writes the pages that code can tell: ``python docs/pages.py`` anew into ``docs/``, or into the folder named."""

import sys
from pathlib import Path

from commands import write_commands_page
from parameters import write_parameters_page
from settings import write_settings_page
from tables import write_tables_page

PAGES = {
    "tables.md": write_tables_page,
    "commands.md": write_commands_page,
    "settings.md": write_settings_page,
    "market-parameters.md": write_parameters_page,
}


def write_pages(folder: Path) -> None:
    """Write every page into the folder."""
    for name, write in PAGES.items():
        write(folder / name)


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
