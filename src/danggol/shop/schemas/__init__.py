"""The columns of every table: their types, meanings, units and rules.

The one place where the tables of a shop are described. `Shop` casts to these types when it writes, `check` applies the
rules, `doctor` asks which columns are filled, and the documentation prints the meanings.
"""

from danggol.shop.schemas.columns import ARROW_TYPES, Column, Schema
from danggol.shop.schemas.result import RESULTS
from danggol.shop.schemas.source import EVENT_KINDS, RECORDS, SOURCES

SOURCE_TABLES: dict[str, Schema] = {schema.name: schema for schema in SOURCES}
RESULT_TABLES: dict[str, Schema] = {schema.name: schema for schema in RESULTS}
RECORD_TABLES: dict[str, Schema] = {schema.name: schema for schema in RECORDS}
SCHEMAS: dict[str, Schema] = {**SOURCE_TABLES, **RESULT_TABLES, **RECORD_TABLES}

__all__ = [
    "ARROW_TYPES",
    "EVENT_KINDS",
    "RECORD_TABLES",
    "RESULT_TABLES",
    "SCHEMAS",
    "SOURCE_TABLES",
    "Column",
    "Schema",
]
