"""Rule files: what is right is read, and each mistake is named by file, line and key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from gigawatch_alerts import conditions, rules
from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
groups:
  - name: mine
    interval: 1m
    limit: 100
    rules:
      - alert: Hot
        condition: |
          SELECT hw_id AS accelerator, max(temperature) AS value
          FROM accelerator_reading
          WHERE time > %(now)s::timestamptz - interval '1 min' AND model NOT LIKE '%%T4%%'
          GROUP BY hw_id
        known: SELECT hw_id AS accelerator FROM accelerator_reading WHERE time > %(now)s::timestamptz - interval '1 min'
        for: 5m
        keep_firing_for: 30s
        labels: {severity: warning, place: "GPU {{ $labels.accelerator }}"}
        annotations:
          summary: "{{ $labels.accelerator }} is {{ $value }} degrees, {{ $labels.severity }}"
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_rule_file_is_read_whole(rule_file: Path) -> None:
    (group,) = rules.load([written(rule_file, GOOD)])
    (rule,) = group.rules
    assert (group.name, group.interval, group.limit) == ("mine", timedelta(minutes=1), 100)
    assert (rule.name, rule.group, rule.hold, rule.keep_firing_for) == (
        "Hot",
        "mine",
        timedelta(minutes=5),
        timedelta(seconds=30),
    )
    assert rule.condition.sql.startswith("SELECT hw_id")
    assert rule.known is not None
    assert set(rule.labels) == {"severity", "place"}
    assert set(rule.annotations) == {"summary"}


def test_a_folder_stands_for_the_rule_files_in_it(tmp_path: Path) -> None:
    written(tmp_path / "b.yml", GOOD.replace("mine", "b").replace("Hot", "B"))
    written(tmp_path / "a.yaml", GOOD.replace("mine", "a").replace("Hot", "A"))
    written(tmp_path / "notes.txt", "no rules")
    assert [group.name for group in rules.load([tmp_path])] == ["a", "b"]


MISTAKES = {
    "not YAML": ("groups:", "groups: [", r":2: is not YAML"),
    "no groups": ("groups:", "group:", r":2: group: unknown key; the file knows groups"),
    "groups are no list": (GOOD, "groups: 5\n", r":1: groups: must be a list"),
    "a group is no mapping": (GOOD, "groups: [5]\n", r":1: groups\[0\]: must be a mapping"),
    "unknown key of a group": ("interval: 1m", "intervall: 1m", r":3: groups\[0\]\.intervall: unknown key"),
    "no name": ("  - name: mine\n    interval: 1m", "  - interval: 1m", r":2: groups\[0\]: has no 'name'"),
    "empty name": ("name: mine", "name: ''", r":2: groups\[0\]\.name: must not be empty"),
    "bad interval": ("interval: 1m", "interval: 1 min", r":3: groups\[0\]\.interval: '1 min' is not a duration"),
    "no interval": ("interval: 1m", "interval: 0s", r":3: groups\[0\]\.interval: must be longer than 0"),
    "bad limit": ("limit: 100", "limit: many", r":4: groups\[0\]\.limit: 'many' is not a whole number"),
    "unknown key of a rule": ("for: 5m", "four: 5m", r":13: groups\[0\]\.rules\[0\]\.four: unknown key"),
    "a key twice": ("for: 5m", "for: 5m\n        for: 6m", r":14: groups\[0\]\.rules\[0\]\.for: stands twice"),
    "no alert": ("alert: Hot\n        condition", "condition", r":6: groups\[0\]\.rules\[0\]: has no 'alert'"),
    "the name that is ours": (
        "alert: Hot",
        "alert: RuleFailed",
        r":6: .*alert: RuleFailed is the alert that gigawatch",
    ),
    "PromQL": ("condition: |", "expr: |", r":7: .*\.expr: PromQL is not read here: write the same as SQL"),
    "a recording rule": ("alert: Hot", "alert: Hot\n        record: x", r":7: .*\.record: recorded series are views"),
    "no known": ("known:", "# known:", r":6: .*has no 'known'"),
    "bad for": ("for: 5m", "for: soon", r":13: .*\.for: 'soon' is not a duration: write it as 30s"),
    "bad keep_firing_for": (
        "keep_firing_for: 30s",
        "keep_firing_for: 1.5m",
        r":14: .*\.keep_firing_for: '1\.5m' is not",
    ),
    "bad template": ("{{ $value }}", "{{ $valu }}", r":17: .*\.annotations\.summary: bad template: \{\{ \$valu \}\}"),
    "open template": ("{{ $value }}", "{{ $value", r":17: .*\.annotations\.summary: bad template"),
    "a label that varies": (
        "severity: warning",
        'severity: "{{ $value }}"',
        r":15: .*\.labels\.severity: a label tells",
    ),
    "a label named alertname": (
        "severity: warning",
        "alertname: x",
        r":15: .*\.labels\.alertname: the alert's name is in",
    ),
    "a label's name": ("severity: warning", "my-label: x", r":15: .*\.labels\.my-label: is not a name"),
    "a label that is a list": ("severity: warning", "severity: [x]", r":15: .*\.labels\.severity: must be text"),
    "another parameter": (
        "%(now)s::timestamptz - interval '1 min' AND",
        "%(then)s AND",
        r":10: .*'%\(then\)s': the only",
    ),
    "a single percent sign": (
        "'%%T4%%'",
        "'%T4%%'",
        r":10: .*condition: '%': the only parameter is %\(now\)s; write %%",
    ),
    "the database's clock": (
        "%(now)s::timestamptz - interval '1 min' AND",
        "now() AND",
        r":10: .*now\(\) is the clock",
    ),
    "empty condition": (
        GOOD[GOOD.index("|") : GOOD.index("        known")],
        "''\n",
        r":7: .*condition: must not be empty",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_named_by_file_line_and_key(rule_file: Path, mistake: str) -> None:
    old, new, complaint = MISTAKES[mistake]
    assert GOOD.count(old) >= 1
    with pytest.raises(ConfigurationError, match=f"^{rule_file}{complaint}") as refused:
        rules.load([written(rule_file, GOOD.replace(old, new, 1))])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("name: mine", "name: mine", r"name: group 'mine' is already in .*rules\.yaml:2"),
        ("name: mine", "name: other", r"alert: alert 'Hot' is already in .*rules\.yaml:6"),
    ],
)
def test_names_are_unique_over_all_files(rule_file: Path, tmp_path: Path, old: str, new: str, complaint: str) -> None:
    other = written(tmp_path / "other.yaml", GOOD.replace(old, new))
    with pytest.raises(ConfigurationError, match=complaint):
        rules.load([written(rule_file, GOOD), other])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"groups: *x", "is not YAML"),
        (b"- a\n- b", "must be a mapping"),
    ],
)
def test_what_is_no_rule_file_is_refused(rule_file: Path, content: bytes, complaint: str) -> None:
    rule_file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint):
        rules.load([rule_file])


def test_a_file_that_is_not_there_and_a_folder_without_rules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        rules.load([tmp_path / "absent.yaml"])
    with pytest.raises(ConfigurationError, match="no rule file"):
        rules.load([tmp_path])


def test_the_clock_may_stand_in_comments_and_strings(rule_file: Path) -> None:
    text = GOOD.replace("GROUP BY hw_id\n", "GROUP BY hw_id -- not now()\n", 1).replace("'%%T4%%'", "'now()'")
    assert rules.load([written(rule_file, text)])


def check(connection: psycopg.Connection, path: Path) -> None:
    conditions.check(connection, rules.load([path]), datetime.now(UTC), timedelta(seconds=5))


ASKED = {
    "unknown view": ("FROM accelerator_reading", "FROM acelerator_reading", r':9: .*condition: relation "acelerator_'),
    "unknown column": ("max(temperature)", "max(temprature)", r':8: .*condition: column "temprature" does not exist'),
    "syntax": ("GROUP BY hw_id", "GROUP hw_id", r":11: .*condition: syntax error .*; it must be one SELECT"),
    "two statements": ("GROUP BY hw_id", "GROUP BY hw_id; SELECT 1", r":11: .*condition: .*it must be one SELECT"),
    "no SELECT": (
        GOOD[GOOD.index("SELECT") : GOOD.index("        known")],
        "DELETE FROM node\n",
        r":8: .*must be one SELECT",
    ),
    "unknown column in known": (
        "known: SELECT hw_id",
        "known: SELECT hwid",
        r':12: .*known: column "hwid" does not exist',
    ),
    "known of another label": (
        "known: SELECT hw_id AS accelerator",
        "known: SELECT hw_id AS gpu",
        r":12: .*column 'gpu' is no label",
    ),
    "value is text": ("max(temperature) AS value", "max(model) AS value", r":7: .*column 'value' must be a number"),
    "column alertname": (
        "hw_id AS accelerator, max",
        "hw_id AS alertname, max",
        r":7: .*column 'alertname' cannot be a label",
    ),
    "a column twice": (
        "hw_id AS accelerator, max",
        "hw_id AS accelerator, max(model) AS accelerator, max",
        r":7: .*column 'accelerator' cannot",
    ),
    "column without a name": ("max(temperature) AS value", '1 AS "my label"', r":7: .*column 'my label' cannot be"),
    "template of no column": (
        "{{ $value }}",
        "{{ $labels.gpu }}",
        r":17: .*annotations\.summary: \$labels\.gpu: the condition",
    ),
    "label of a label": (
        "GPU {{ $labels.accelerator }}",
        "{{ $labels.severity }}",
        r":15: .*labels\.place: \$labels\.severity",
    ),
}


@pytest.mark.parametrize("mistake", ASKED)
def test_the_database_finds_the_mistakes_of_queries(
    connection: psycopg.Connection, rule_file: Path, mistake: str
) -> None:
    old, new, complaint = ASKED[mistake]
    assert GOOD.count(old) >= 1
    with pytest.raises(ConfigurationError, match=f"^{rule_file}{complaint}"):
        check(connection, written(rule_file, GOOD.replace(old, new, 1)))


def test_a_good_rule_file_passes_and_leaves_nothing(connection: psycopg.Connection, rule_file: Path) -> None:
    check(connection, written(rule_file, GOOD))
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
