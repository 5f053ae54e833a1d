"""Sphinx settings; ``make docs`` builds the pages, those that code can tell are written from it."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from commands import write_commands_page  # noqa: E402
from parameters import write_parameters_page  # noqa: E402
from settings import write_settings_page  # noqa: E402
from tables import write_tables_page  # noqa: E402

import danggol  # noqa: E402

project = "danggol"
author = "The danggol team"
release = danggol.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"danggol {release}"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
suppress_warnings = ["myst.xref_missing"]

write_tables_page(HERE / "tables.md")
write_commands_page(HERE / "commands.md")
write_settings_page(HERE / "settings.md")
write_parameters_page(HERE / "market-parameters.md")
