"""docs/alerts.md says what is so: settings, rules, metrics, examples; and the systemd unit starts the command."""

from __future__ import annotations

import configparser
import dataclasses
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from gigawatch_alerts import conditions, rules
from gigawatch_alerts.selfmetrics import Backlog, SelfMetrics
from gigawatch_alerts.settings import PART, Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alerts.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without the head."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    said = {key: (default, variable) for key, default, variable in table("Settings")}
    words = {"dsn": "the embedded server", "rules": "the shipped rules"}
    assert said == {
        field.name: (
            words.get(field.name, str(field.default) if field.default not in (None, "") else "none"),
            field.metadata["shared"] or f"GIGAWATCH_{PART.upper()}_{field.name.upper()}",
        )
        for field in dataclasses.fields(Settings)
    }


def test_the_table_of_rules_is_that_of_the_files() -> None:
    said = {name: severity for name, _, _, severity in table("The shipped rules")}
    shipped = {
        rule.name: rule.labels["severity"].source for group in rules.load([rules.SHIPPED]) for rule in group.rules
    }
    assert said == {**shipped, rules.RULE_FAILED: "critical"}


def test_every_shipped_rule_says_what_where_since_when_what_to_do_and_where_to_look() -> None:
    for group in rules.load([rules.SHIPPED]):
        for rule in group.rules:
            assert set(rule.annotations) == {"summary", "description", "action", "link"}, rule.name
            assert {"factory", "rack", "node"} <= rule.annotations["description"].labels, rule.name
            assert "{{ $activeAt }}" in rule.annotations["description"].source, rule.name
            assert "{{ link }}" in rule.annotations["link"].source, rule.name


def test_the_table_of_metrics_is_that_of_the_code(connection: psycopg.Connection) -> None:
    metrics = SelfMetrics()
    metrics.registry.register(Backlog(lambda: psycopg.connect(connection.info.dsn, password=connection.info.password)))
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.registry.collect()
    }
    assert {row[0] for row in table("Its own metrics")} == names


def test_the_rule_of_the_page_is_a_good_one(connection: psycopg.Connection, rule_file: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    rule_file.write_text(example, "utf-8")
    conditions.check(connection, rules.load([rule_file]), datetime.now(UTC), timedelta(seconds=5))


def test_the_systemd_unit_starts_the_command_with_settings_that_it_knows() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - keys of systemd are in capitals
    unit.read_string((ROOT / "deploy" / "systemd" / "gigawatch-alerts.service").read_text("utf-8"))
    program, command, *words = shlex.split(unit["Service"]["ExecStart"])
    assert (Path(program).name, command) == ("gigawatch", "alerts")
    assert words[0] == "run"
    known = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Settings)} | {"--config"}
    assert {word for word in words[1:] if word.startswith("--")} <= known
