"""Importers: what others hand over becomes tables of a shop, and nothing disappears unsaid."""

from danggol.shop.sources.source import SOURCES, ImportReport, Source, find_source, import_source

__all__ = ["SOURCES", "ImportReport", "Source", "find_source", "import_source"]
