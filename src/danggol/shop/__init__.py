"""The ground floor: schemas, versions, queries, checks and importers. Capabilities meet only through its tables."""

from danggol.shop.run import Run, TableWriter
from danggol.shop.schemas import RECORD_TABLES, RESULT_TABLES, SCHEMAS, SOURCE_TABLES, Column, Schema
from danggol.shop.shop import Shop, ShopConfig, TableInfo

__all__ = [
    "RECORD_TABLES",
    "RESULT_TABLES",
    "SCHEMAS",
    "SOURCE_TABLES",
    "Column",
    "Run",
    "Schema",
    "Shop",
    "ShopConfig",
    "TableInfo",
    "TableWriter",
]
