"""The registry's files: the columns of each, the table it fills, and what must hold within a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gigawatch_contract.resource import FACTORY_ID, is_fictional
from gigawatch_programme import cells
from gigawatch_programme.cells import AMOUNT, DAY, DECIMAL, INT4, INT8, LIST, SINCE, TEXT, UNTIL, Kind, one_of
from gigawatch_programme.table import Column, Values

Rule = Callable[[Values], Iterator[tuple[str, str]]]
"""What must hold within a row: yields the column and the sentence of each breach."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file and the table it fills."""

    file: str
    table: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns of the table, in order."""
        return tuple(field for column in self.columns for field in column.fields)


def _factory_id(cell: str) -> str:
    if not FACTORY_ID.fullmatch(cell):
        raise ValueError(f'"{cells.shown(cell)}" is not a factory id: up to 63 of a-z, 0-9 and "-"')
    if is_fictional(cell):
        raise ValueError(f'"{cell}" is the id of a fictional factory: nothing was promised of it')
    return cell


def _factory_ids(cell: str) -> list[str]:
    return [_factory_id(part.strip()) for part in cell.split(";")]


def _source_unless_none(row: Values, source: str = "source", read: str = "read") -> Iterator[tuple[str, str]]:
    if row[read] == "none" and row[source] is not None:
        yield read, "is none (looked for, not found), but a source is named"
    if row[read] not in {None, "none"} and row[source] is None:
        yield source, "is empty: name where it was said, or set read to none"


def _round_source(row: Values) -> Iterator[tuple[str, str]]:
    return _source_unless_none(row, "round_source", "round_read")


def _factory_by_scope(*scopes: str) -> Rule:
    def rule(row: Values) -> Iterator[tuple[str, str]]:
        if (row["factory_id"] is not None) != (row["scope"] in scopes):
            yield "factory_id", f"is named where scope is {' or '.join(scopes)}, and empty elsewhere"

    return rule


def _qualifier(row: Values) -> Iterator[tuple[str, str]]:
    low, high, qualifier = row["accelerators"], row["accelerators_max"], row["qualifier"]
    if (low is None) != (qualifier == "not_disclosed"):
        yield "accelerators", "is empty where qualifier is not_disclosed, and only there"
    if (high is not None) != (qualifier == "range"):
        yield "accelerators_max", "is given where qualifier is range, and only there"
    if low is not None and high is not None and high <= low:
        yield "accelerators_max", f"{high} is not more than {low}"


def _value_max(row: Values) -> Iterator[tuple[str, str]]:
    if row["value_max"] is not None and (row["value"] is None or row["value_max"] <= row["value"]):
        yield "value_max", "is not more than value"


def _currency(row: Values) -> Iterator[tuple[str, str]]:
    if (row["total_amount"] is None) != (row["currency"] is None):
        yield "currency", "goes with total_amount: give both or neither"


FACTORY: Final = Kind(_factory_id)
FACTORIES: Final = Kind(_factory_ids, empty=[])
COUNTRY: Final = cells.matching("[A-Z]{2}", "a country code (two capitals, ISO 3166)")
CURRENCY: Final = cells.matching("[A-Z]{3}", "a currency (three capitals, ISO 4217)")
READ: Final = one_of("primary", "secondary", "second-hand", "none")
CAPACITY_STAGES: Final = ("announced", "contracted", "delivered", "accepted", "operational")
FUNDING_STAGES: Final = ("pledged", "programmed", "committed", "contracted", "disbursed")
STATUSES: Final = ("selected", "announced", "tender", "contracted", "installing", *CAPACITY_STAGES[2:], "retired")
MILESTONE_KINDS: Final = ("baseline", "forecast", "actual")

EVIDENCE: Final = (Column("source", TEXT), Column("read", READ, required=True), Column("cites", TEXT))
NOTE: Final = Column("note", TEXT)

SHEETS: Final = (
    Sheet(
        "factories.csv",
        "programme_factory",
        (
            Column("factory_id", FACTORY, required=True),
            Column("official_name", TEXT, required=True),
            Column("aliases", LIST),
            Column("country", COUNTRY, required=True),
            Column("city", TEXT, required=True),
            Column("lat", cells.between(-90, 90)),
            Column("lon", cells.between(-180, 180)),
            Column("coord_note", TEXT),
            Column("host", TEXT, required=True),
            Column("partners", LIST),
            Column("consortium_countries", LIST),
            Column("selection_round", INT4, required=True),
            Column("selection_date", DAY, required=True),
            *EVIDENCE,
            Column("stated_on", SINCE),
            Column("round_source", TEXT),
            Column("round_read", READ, required=True),
            NOTE,
        ),
        unique=("factory_id",),
        rules=(_source_unless_none, _round_source),
    ),
    Sheet(
        "systems.csv",
        "programme_system",
        (
            Column("factory_id", FACTORY, required=True),
            Column("system", TEXT, required=True),
            Column("role", one_of("existing", "new", "upgrade", "inference"), required=True),
            Column("vendor", TEXT),
            Column("accelerator", TEXT),
            Column("nodes", INT4),
            Column("accel_per_node", INT4),
            Column("status", one_of(*STATUSES), required=True),
            Column("status_as_of", SINCE),
            Column("tender_ref", TEXT),
            *EVIDENCE,
            NOTE,
        ),
        rules=(_source_unless_none,),
    ),
    Sheet(
        "capacity.csv",
        "programme_capacity",
        (
            Column("factory_id", FACTORY, required=True),
            Column("system", TEXT, required=True),
            Column("stage", one_of(*CAPACITY_STAGES), required=True),
            Column("accelerators", INT4),
            Column("accelerators_max", INT4),
            Column(
                "qualifier", one_of("exact", "about", "more_than", "up_to", "range", "not_disclosed"), required=True
            ),
            Column("model", TEXT),
            Column("as_of", SINCE),
            *EVIDENCE,
            NOTE,
        ),
        rules=(_source_unless_none, _qualifier),
    ),
    Sheet(
        "milestones.csv",
        "programme_milestone",
        (
            Column("scope", one_of("programme", "gigafactories", "factory"), required=True),
            Column("factory_id", FACTORY),
            Column("milestone", TEXT, required=True),
            Column("kind", one_of(*MILESTONE_KINDS), required=True),
            Column("date", UNTIL, required=True),
            Column("stated_on", SINCE),
            Column("as_stated", TEXT),
            *EVIDENCE,
            NOTE,
        ),
        rules=(_source_unless_none, _factory_by_scope("factory")),
    ),
    Sheet(
        "funding.csv",
        "programme_funding",
        (
            Column(
                "scope",
                one_of("programme", "investai", "gigafactories", "strand", "factory", "system"),
                required=True,
            ),
            Column("factory_id", FACTORY),
            Column("stage", one_of(*FUNDING_STAGES), required=True),
            Column("payer", one_of("EU", "member_state", "private", "mixed", "unknown"), required=True),
            Column("amount_eur", AMOUNT),
            Column("includes", TEXT, required=True),
            Column("as_of", SINCE),
            *EVIDENCE,
            NOTE,
        ),
        rules=(_source_unless_none, _factory_by_scope("factory", "system")),
    ),
    Sheet(
        "antennas.csv",
        "programme_antenna",
        (
            Column("country", COUNTRY, required=True),
            Column("name", TEXT),
            Column("host", TEXT),
            Column("linked_factories", FACTORIES),
            Column("selected", DAY),
            Column("total_amount", AMOUNT),
            Column("currency", CURRENCY),
            Column("eu_share", TEXT),
            Column("period", TEXT),
            *EVIDENCE,
            NOTE,
        ),
        rules=(_source_unless_none, _currency),
    ),
    Sheet(
        "strands.csv",
        "programme_strand",
        (
            Column("strand", TEXT, required=True),
            Column("item", TEXT, required=True),
            Column("value", DECIMAL),
            Column("value_max", DECIMAL),
            Column("unit", TEXT, required=True),
            Column("date", SINCE),
            *EVIDENCE,
            NOTE,
        ),
        rules=(_source_unless_none, _value_max),
    ),
    Sheet(
        "promises.csv",
        "programme_promise",
        (
            Column("id", TEXT, required=True),
            Column("pillar", TEXT, required=True),
            Column("promise", TEXT, required=True),
            Column("measure", TEXT),
            Column("value", DECIMAL),
            Column("unit", TEXT),
            Column("due", UNTIL),
            Column("stated_by", TEXT, required=True),
            Column("stated_on", SINCE, required=True),
            Column("source", TEXT),
            Column("read", READ, required=True),
            Column("now", TEXT, required=True),
            Column("now_source", TEXT, required=True),
        ),
        unique=("id",),
        rules=(_source_unless_none,),
    ),
    Sheet(
        "gigafactory_call.csv",
        "programme_gigafactory_lot",
        (
            Column("lot", INT4, required=True),
            Column("max_projects", INT4),
            Column("h100e_phase1", INT4),
            Column("h100e_phase2", INT4),
            Column("ratio_vs_top_ai_factory_phase1", TEXT),
            Column("ratio_phase2", DECIMAL),
            Column("it_mw_phase1", DECIMAL),
            Column("it_mw_phase1_max", DECIMAL),
            Column("it_mw_phase2", DECIMAL),
            Column("eu_eur_phase1", INT8),
            Column("eu_eur_phase2_extra", INT8),
            Column("as_of", SINCE),
            *EVIDENCE,
            NOTE,
        ),
        unique=("lot",),
        rules=(_source_unless_none,),
    ),
    Sheet(
        "models.csv",
        "programme_model",
        (
            Column("vendor", TEXT, required=True),
            Column("model", TEXT, required=True),
            Column("name_pattern", TEXT, required=True),
            Column("name_pattern_status", TEXT),
            Column("memory_bytes", INT8),
            Column("memory_basis", TEXT),
            Column("power_w", DECIMAL),
            Column("power_term", TEXT),
            Column("fp64_tflops", DECIMAL),
            Column("tf32_tflops", DECIMAL),
            Column("bf16_tflops", DECIMAL),
            Column("fp8_tflops", DECIMAL),
            Column("fp4_tflops", DECIMAL),
            Column("link_bytes_per_s_bidir", INT8),
            Column("counting_rule", TEXT),
            Column("source", TEXT),
            Column("read", READ, required=True),
            NOTE,
        ),
        unique=("vendor", "model"),
        rules=(_source_unless_none,),
    ),
)
