"""The documentation in the repository: pages written from code are up to date, and links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the pages that code writes."""
    folder = tmp_path_factory.mktemp("pages")
    subprocess.run([sys.executable, str(DOCS / "pages.py"), str(folder)], check=True)
    return folder


@pytest.mark.parametrize("name", ["tables.md", "commands.md", "settings.md", "market-parameters.md"])
def test_a_page_written_from_code_is_up_to_date(written: Path, name: str) -> None:
    assert (DOCS / name).read_text("utf8") == (written / name).read_text("utf8"), "write it anew: python docs/pages.py"


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text("utf8")):
        if "://" not in link and not link.startswith(("#", "mailto:")):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name} links to {link}"
