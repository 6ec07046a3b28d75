"""A file from anywhere becomes typed rows or says, by row and column, why not."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_programme import table
from gigawatch_programme.cells import AMOUNT, DAY, DECIMAL, INT4, LIST, SINCE, TEXT, UNTIL, between, one_of
from gigawatch_programme.table import Column

COLUMNS = (
    Column("name", TEXT, required=True),
    Column("count", INT4),
    Column("as_of", SINCE),
    Column("due", UNTIL),
    Column("on", DAY),
    Column("amount", AMOUNT),
    Column("tags", LIST),
    Column("read", one_of("primary", "none")),
    Column("lat", between(-90, 90)),
    Column("ratio", DECIMAL),
)
HEADER = ",".join(column.name for column in COLUMNS)
GOOD = "LUMI-G,11912,2024-10-15,2026-Q4,2024-12-10,23487356.12,a; b,primary,64.23,-0.5"


def said(body: bytes | str, unique: tuple[str, ...] = ()) -> list[str]:
    raw = body.encode() if isinstance(body, str) else body
    return [str(problem) for problem in table.read("file.csv", raw, COLUMNS, unique).problems]


def cell(column: str, value: str) -> list[str]:
    """The problems of a file whose only oddity is one cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [c.name for c in COLUMNS])
    writer.writeheader()
    writer.writerow({"name": "x", column: value})
    return said(text.getvalue())


def test_every_kind_of_cell_becomes_its_type() -> None:
    found = table.read("file.csv", f"{HEADER}\n{GOOD}\n".encode(), COLUMNS)
    assert not found.problems
    assert found.rows[0].number == 2
    assert found.rows[0].values == {
        "name": "LUMI-G",
        "count": 11912,
        "as_of": dt.date(2024, 10, 15),
        "as_of_precision": "day",
        "due": dt.date(2026, 12, 31),
        "due_precision": "quarter",
        "on": dt.date(2024, 12, 10),
        "amount": Decimal("23487356.12"),
        "tags": ["a", "b"],
        "read": "primary",
        "lat": Decimal("64.23"),
        "ratio": Decimal("-0.5"),
    }


def test_an_empty_cell_is_none_and_a_zero_is_zero() -> None:
    found = table.read("file.csv", f"{HEADER}\nx,,,,,,,,,\ny,0,,,,0,,,,0\n".encode(), COLUMNS)
    assert not found.problems
    empty, zero = (row.values for row in found.rows)
    assert (empty["count"], empty["amount"], empty["as_of"], empty["as_of_precision"]) == (None, None, None, None)
    assert empty["tags"] == []
    assert (zero["count"], zero["amount"], zero["ratio"]) == (0, 0, 0)


def test_what_was_said_counts_from_the_first_day_of_its_period_and_what_is_due_to_the_last() -> None:
    for said_as, first, last in (
        ("2026", dt.date(2026, 1, 1), dt.date(2026, 12, 31)),
        ("2026-Q1", dt.date(2026, 1, 1), dt.date(2026, 3, 31)),
        ("2028-02", dt.date(2028, 2, 1), dt.date(2028, 2, 29)),
        ("2026-03-16", dt.date(2026, 3, 16), dt.date(2026, 3, 16)),
    ):
        assert SINCE.parse(said_as)[0] == first
        assert UNTIL.parse(said_as)[0] == last


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_utf8_is_read_with_or_without_a_byte_order_mark_and_with_either_line_end(start: bytes, end: str) -> None:
    body = start + end.join([HEADER, GOOD.replace("LUMI-G", "Kraków"), ""]).encode()
    assert table.read("file.csv", body, COLUMNS).rows[0].values["name"] == "Kraków"


def test_columns_may_stand_in_any_order_and_empty_rows_at_the_end_are_left_out() -> None:
    names = HEADER.split(",")
    body = (
        ",".join(reversed(names)) + "\n" + ",".join(reversed(GOOD.split(","))) + "\n" + "," * (len(names) - 1) + "\n\n"
    )
    found = table.read("file.csv", body.encode(), COLUMNS)
    assert not found.problems
    assert [row.values["count"] for row in found.rows] == [11912]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "file.csv: is empty"),
        (b" \r\n", "file.csv: is empty"),
        (b"<!DOCTYPE html><html>", "file.csv: is a web page, not CSV: perhaps a login or error page"),
        (b"name\nM\xfcnchen\n", 'file.csv: is not UTF-8 (line 2, byte 0xfc): save it as "CSV UTF-8"'),
        ("name\n".encode("utf-16"), 'file.csv: is UTF-16, not UTF-8: save it as "CSV UTF-8"'),
        (b"name\nx\0\n", "file.csv: holds a NUL byte (line 2): not a text file"),
        (b"x" * (table.MAX_BYTES + 1), "file.csv: is larger than 16 MB"),
        (HEADER.replace(",", ";").encode(), "file.csv: is separated by ';': use commas"),
        (HEADER.replace("count", "cuont").encode(), 'file.csv: column "cuont" is not known; column "count" is missing'),
        (f"{HEADER},name".encode(), 'file.csv: column "name" is twice in the header'),
        (f'{HEADER}\n"x'.encode(), "file.csv: row 2: unexpected end of data"),
        (f"{HEADER}\nx,1\n".encode(), "file.csv: row 2: has 2 cells, the header has 10"),
        (f"{HEADER}\n{GOOD}\n{GOOD}\n".encode(), "file.csv: row 3: the whole row is already in row 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_not_the_table_it_should_be_is_refused_in_a_sentence(body: bytes, message: str) -> None:
    found = said(body)
    assert len(found) == 1
    assert found[0].startswith(message)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("name", "", "is empty"),
        ("as_of", "2026-13-01", '"2026-13-01" is not a date'),
        ("as_of", "3026-06", '"3026-06" is not a date'),
        ("as_of", "10.10.2026", '"10.10.2026" is not a date'),
        ("on", "2026-02-30", '"2026-02-30" is not a date (YYYY-MM-DD)'),
        ("on", "2026", '"2026" is not a date (YYYY-MM-DD)'),
        ("count", "23,536", '"23,536" is not a whole number (0 or more): no comma in a number'),
        ("count", "1e3", '"1e3" is not a whole number'),
        ("count", "1_000", '"1_000" is not a whole number'),
        ("count", "-1", '"-1" is not a whole number (0 or more)'),
        ("count", "\N{ARABIC-INDIC DIGIT THREE}", '"\N{ARABIC-INDIC DIGIT THREE}" is not a whole number'),
        ("count", "2147483648", "2147483648 is more than 2147483647"),
        ("amount", "-1", '"-1" is not an amount'),
        ("amount", "1.234", '"1.234" is not an amount'),
        ("ratio", "NaN", '"NaN" is not a number'),
        ("ratio", "1,5", '"1,5" is not a number: no comma in a number'),
        ("lat", "91", "91 is not between -90 and 90"),
        ("read", "Primary", '"Primary" is not one of: primary, none'),
        ("name", "=HYPERLINK(1)", "\"=HYPERLINK(1)\" starts with '=': a spreadsheet would run it as a formula"),
        ("name", "+1", "\"+1\" starts with '+'"),
        ("name", "-cmd", "\"-cmd\" starts with '-'"),
        ("name", "@SUM(A1)", "\"@SUM(A1)\" starts with '@'"),
        ("name", "a\tb", "holds an invisible character (U+0009)"),
        ("name", "two\nlines", "holds an invisible character (U+000A) or a line break"),
        ("name", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "holds an invisible character (U+202E)"),
        ("name", "x" * 2001, "has 2001 characters: at most 2000"),
        ("tags", "a;=b", "\"=b\" starts with '='"),
    ],
)
def test_a_wrong_cell_is_told_by_row_column_and_reason(column: str, value: str, message: str) -> None:
    found = said(f"{HEADER}\n,1,,,,,,,,\n") if column == "name" and not value else cell(column, value)
    assert len(found) == 1
    assert found[0].startswith(f"file.csv: row 2, column {column}: {message}")


def test_the_message_of_a_bad_date_says_the_form_that_is_wanted() -> None:
    assert cell("on", "2026-13-01") == ['file.csv: row 2, column on: "2026-13-01" is not a date (YYYY-MM-DD)']


def test_all_problems_of_a_file_are_told_at_once_each_with_its_row() -> None:
    found = said(f"{HEADER}\nx,1.5,2026-13,,,,,,,\n{GOOD}\ny,-2,,,,,,,,\n")
    assert [line.split(":")[1].strip() for line in found] == [
        "row 2, column count",
        "row 2, column as_of",
        "row 4, column count",
    ]


def test_a_key_that_comes_twice_names_the_row_where_it_was_first() -> None:
    assert said(f"{HEADER}\nx,1,,,,,,,,\nx,2,,,,,,,,\n", unique=("name",)) == [
        'file.csv: row 3: name "x" is already in row 2'
    ]


def test_a_message_never_hands_the_terminal_what_it_would_obey() -> None:
    (line,) = cell("count", "\x1b]0;owned\x07")
    assert line.isprintable()
    assert "\\u001b" in line
    *_, line = said(f"{HEADER}\n\x1b[2J,1,,,,,,,,\n\x1b[2J,2,,,,,,,,\n", unique=("name",))
    assert line.isprintable()


@given(st.binary(max_size=400))
def test_no_bytes_whatever_end_in_anything_but_rows_or_problems(body: bytes) -> None:
    found = table.read("file.csv", body, COLUMNS)
    assert found.problems or all(set(row.values) >= {"name", "count", "as_of_precision"} for row in found.rows)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(categories=["L", "Nd", "P", "S"]), min_size=1, max_size=30).filter(
                lambda t: t[0] not in "=+-@"
            ),
            st.none() | st.integers(0, 2**31 - 1),
            st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31)),
        ),
        unique=True,
        max_size=20,
    )
)
def test_what_the_standard_writer_writes_is_read_back_as_it_was(
    rows: list[tuple[str, int | None, dt.date | None]],
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["name", "count", "on"])
    writer.writerows(rows)
    columns = tuple(column for column in COLUMNS if column.name in {"name", "count", "on"})
    found = table.read("file.csv", text.getvalue().encode(), columns)
    assert not found.problems
    assert [(row.values["name"], row.values["count"], row.values["on"]) for row in found.rows] == rows
