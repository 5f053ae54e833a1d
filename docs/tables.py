"""Writes the page of tables from the schemas, so that the two cannot disagree."""

from pathlib import Path

from danggol.shop.schemas import RECORD_TABLES, RESULT_TABLES, SOURCE_TABLES, Column, Schema

INTRODUCTION = """# Tables

Every table, column, type, meaning and rule, from `danggol.shop.schemas`. Columns in **bold** must be filled in every
row.
Times are UTC timestamps in microseconds; countries are ISO 3166-1 alpha-2, languages ISO 639-1, currencies ISO 4217.
"""


def write_tables_page(path: Path) -> None:
    """Write the page."""
    parts = [INTRODUCTION]
    for title, tables in (
        ("Source tables", SOURCE_TABLES),
        ("Result tables", RESULT_TABLES),
        ("Records of the shop", RECORD_TABLES),
    ):
        parts.append(f"## {title}\n")
        parts += [_table(schema) for schema in tables.values()]
    path.write_text("\n".join(parts), "utf8")


def _table(schema: Schema) -> str:
    more = " Further columns of the shop's own are kept." if schema.open else ""
    lines = [
        f"### {schema.name}\n",
        f"One row is {schema.row}. Key: {', '.join(schema.key)}.{more}\n",
        "| column | type | meaning | unit | rule |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(column) for column in schema.columns]
    return "\n".join(lines) + "\n"


def _row(column: Column) -> str:
    name = f"**{column.name}**" if column.required else column.name
    return f"| {name} | {column.type} | {column.meaning} | {column.unit} | {'; '.join(_rules(column))} |"


def _rules(column: Column) -> list[str]:
    rules = []
    if column.at_least is not None:
        rules.append(f"at least {column.at_least:g}")
    if column.at_most is not None:
        rules.append(f"at most {column.at_most:g}")
    if column.one_of:
        rules.append("one of " + ", ".join(column.one_of))
    if column.refers:
        rules.append(f"is in {column.refers}")
    if column.past:
        rules.append("not in the future")
    return rules
