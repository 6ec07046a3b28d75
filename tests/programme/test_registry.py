"""The registry is judged as a whole, and what ships of it is clean and keeps its conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gigawatch_programme import registry
from gigawatch_programme.table import Refused, Row

if TYPE_CHECKING:
    from pathlib import Path

# What the facts' collectors counted when they handed the files over, less one row that says what was not found anywhere.
COUNTS = {
    "factories.csv": 19,
    "systems.csv": 28,
    "capacity.csv": 32,
    "milestones.csv": 112,
    "funding.csv": 92,
    "antennas.csv": 13,
    "strands.csv": 70 - 1,
    "gigafactory_call.csv": 2,
    "promises.csv": 12,
    "models.csv": 17,
}


@pytest.fixture(scope="module")
def facts() -> dict[str, tuple[Row, ...]]:
    return dict(registry.load().rows)


def values(rows: tuple[Row, ...], **wanted: object) -> list[dict[str, object]]:
    return [dict(row.values) for row in rows if all(row.values[key] == value for key, value in wanted.items())]


def problems(bodies: dict[str, bytes]) -> list[str]:
    with pytest.raises(Refused) as refused:
        registry.judge(bodies)
    return [str(problem) for problem in refused.value.problems]


def edit(body: bytes, old: str, new: str) -> bytes:
    assert body.count(old.encode()) == 1, f"{old!r} must be in the file once for the edit to mean something"
    return body.replace(old.encode(), new.encode())


def test_the_shipped_files_are_clean_and_whole(facts: dict[str, tuple[Row, ...]]) -> None:
    assert {file: len(rows) for file, rows in facts.items()} == COUNTS


def test_no_quotation_ships_and_what_rests_on_a_note_is_second_hand_at_best(facts: dict[str, tuple[Row, ...]]) -> None:
    for rows in facts.values():
        for row in rows:
            assert not [name for name in row.values if "quote" in name]
            if str(row.values["source"]).startswith("public note:"):
                assert row.values["read"] == "second-hand"


def test_every_fact_names_its_source_or_says_that_none_was_found(facts: dict[str, tuple[Row, ...]]) -> None:
    for rows in facts.values():
        for row in rows:
            assert (row.values["source"] is None) == (row.values["read"] == "none")


def test_the_access_times_that_no_official_page_has_are_not_shipped(shipped: dict[str, bytes]) -> None:
    assert b"Playground" not in shipped["strands.csv"]


def test_known_conflicts_stand_side_by_side(facts: dict[str, tuple[Row, ...]]) -> None:
    capacity, funding, milestones = facts["capacity.csv"], facts["funding.csv"], facts["milestones.csv"]
    assert {row["accelerators"] for row in values(capacity, system="JUPITER Booster")} == {23536, 24000}
    meluxina = {row["stage"]: (row["accelerators"], row["qualifier"]) for row in values(capacity, system="MeluXina-AI")}
    assert meluxina == {"announced": (2100, "more_than"), "contracted": (1008, "exact")}
    pharos = values(funding, factory_id="pharos", stage="contracted")
    assert {36_000_000, 41_000_000} <= {row["amount_eur"] for row in pharos}
    assert {row["amount_eur"] for row in values(funding, factory_id="ai-at", stage="pledged", payer="mixed")} == {
        80e6,
        95e6,
    }
    slaif = {row["stage"]: row["amount_eur"] for row in values(funding, factory_id="slaif", payer="mixed")}
    assert slaif == {"pledged": 150_000_000, "committed": 135_000_000}
    deadlines = values(milestones, scope="gigafactories", milestone="call_deadline")
    assert {str(row["date"]) for row in deadlines} == {"2026-11-12", "2026-12-03"}


def test_a_count_that_is_not_disclosed_is_none_and_never_zero(facts: dict[str, tuple[Row, ...]]) -> None:
    hidden = values(facts["capacity.csv"], qualifier="not_disclosed")
    assert len(hidden) == 17
    assert {row["accelerators"] for row in hidden} == {None}
    (declined,) = values(facts["funding.csv"], amount_eur=0)
    assert "confirmed none" in str(declined["note"])


def test_custom_parts_have_no_peak_so_that_nobody_counts_them_as_the_standard_ones(
    facts: dict[str, tuple[Row, ...]],
) -> None:
    custom = [
        row.values for row in facts["models.csv"] if "custom" in row.values["model"] or "MI430X" in row.values["model"]
    ]
    assert len(custom) == 3
    assert {row["bf16_tflops"] for row in custom} == {None}


def test_a_folder_that_lacks_files_is_told_all_of_them(tmp_path: Path, shipped: dict[str, bytes]) -> None:
    for file, body in shipped.items():
        if file not in {"models.csv", "funding.csv"}:
            (tmp_path / file).write_bytes(body)
    with pytest.raises(Refused) as refused:
        registry.load(tmp_path)
    assert [problem.file for problem in refused.value.problems] == ["funding.csv", "models.csv"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("capacity.csv", "litai,LitAI system", "litia,LitAI system", 'row 28, column factory_id: "litia" is not in factories.csv'),
        ("antennas.csv", "lumi-aif;jaif", "lumi-aif;jiaf", 'row 2, column linked_factories: "jiaf" is not in factories.csv'),
        ("capacity.csv", "jaif,JARVIS", "jaif,JARVIX", 'row 7, column system: "JARVIX" of jaif is not in systems.csv'),
        ("capacity.csv", "11912,,exact", ",,exact", "row 2, column accelerators: is empty where qualifier is not_disclosed"),
        ("capacity.csv", "650,700,range", "650,600,range", "row 21, column accelerators_max: 600 is not more than 650"),
        ("capacity.csv", "650,700,range", "650,700,about", "row 21, column accelerators_max: is given where qualifier is range"),
        ("antennas.csv", "10000000,EUR", "10000000,", "row 2, column currency: goes with total_amount"),
        ("milestones.csv", "programme,,round1_selected", "factory,,round1_selected", "row 2, column factory_id: is named where"),
        ("factories.csv", "\njaif,", "\nsim-jaif,", 'row 4, column factory_id: "sim-jaif" is the id of a fictional factory'),
        ("strands.csv", "hubs,2026,,none", "hubs,2026,,primary", "row 50, column source: is empty: name where it was said"),
        ("strands.csv", ",15,30,MW,", ",15,10,MW,", "row 26, column value_max: is not more than value"),
    ],
)  # fmt: skip
def test_a_breach_is_told_by_file_row_and_column(
    shipped: dict[str, bytes], file: str, old: str, new: str, message: str
) -> None:
    shipped[file] = edit(shipped[file], old, new)
    assert any(problem.startswith(f"{file}: {message}") for problem in problems(shipped)), problems(shipped)


def test_problems_of_several_files_are_told_together(shipped: dict[str, bytes]) -> None:
    shipped["capacity.csv"] = edit(shipped["capacity.csv"], "11912", "11,912".replace(",", "."))
    shipped["funding.csv"] = edit(shipped["funding.csv"], "23487356.12", "about 23M")
    assert [problem.split(":")[0] for problem in problems(shipped)] == ["capacity.csv", "funding.csv"]


def test_the_first_fifty_problems_are_told_and_the_rest_counted(shipped: dict[str, bytes]) -> None:
    lines = shipped["milestones.csv"].decode().splitlines()
    shipped["milestones.csv"] = "\n".join(
        [lines[0], *(line.replace("primary", "read").replace("second", "2nd") for line in lines[1:])]
    ).encode()
    with pytest.raises(Refused) as refused:
        registry.judge(shipped)
    told = str(refused.value).splitlines()
    assert told[0] == f"nothing was imported: {len(refused.value.problems)} problems"
    assert len(told) == 1 + 50 + 1
    assert told[-1] == f"  and {len(refused.value.problems) - 50} more"
