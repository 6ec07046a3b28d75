"""The SQL that computes one bucket of one level, whole or for some of its things; generated from the contract. Pure.

Parameters: %(since)s and %(until)s, the bucket; %(things)s, the ids of a part. docs/storage.md says the rules in words.
"""

# ruff: noqa: S608 - the text is made of names in the contract and in levels.py; values are parameters
from __future__ import annotations

from typing import TYPE_CHECKING

from gigawatch_contract.metrics import STATES
from gigawatch_database.rollup.levels import COUNTERS, FACTORY_1MIN, GAUGES, SAMPLES, reading_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gigawatch_contract.metrics import Metric
    from gigawatch_database.rollup.levels import Level

CONTEXT = "interval '1 minute'"
"""How far before the bucket a counter's opening value is looked for with one scan of the fleet; older ones one by one."""


def clear(level: Level, *, part: bool) -> str:
    """Remove what stands of the bucket."""
    return f"DELETE FROM {level.table} WHERE bucket = %(since)s{_of_part(level, level.key, part=part)}"


def compute(level: Level, *, part: bool) -> str:
    """Insert the rows of the bucket."""
    if level == FACTORY_1MIN:
        body = _factory_of_nodes(part=part)
    elif level.source == SAMPLES:
        body = _of_samples(level, part=part)
    else:
        body = _of_level(level, part=part)
    keys = "accelerator_id, node_id" if level.thing == "accelerator" else level.key
    names = ", ".join(column.name for column in reading_columns())
    return f"INSERT INTO {level.table} (bucket, {keys}, {names})\n{body}"


def _of_samples(level: Level, *, part: bool) -> str:
    """From samples: the readings of each thing; beside them what each accelerator's counters grew by, epoch by epoch.

    An epoch is the samples of an accelerator under one counters_since. There a counter only grows, so its highest value
    less its opening one is what it grew by.
    """
    by_node = level.thing == "node"
    scope = _of_part(level, f"s.{level.key}", part=part)
    bucket = f"s.time >= %(since)s AND s.time < %(until)s{scope}"
    return f"""\
WITH reading AS (
  SELECT
    {level.key},
    {"" if by_node else _ONLY_EPOCH}
    count(*) AS samples,
    {_list(f"sum(status_{state}) AS status_{state}" for state in STATES)},
    {_list(map(_gauge_of_samples, GAUGES))}
  FROM accelerator_sample s
  WHERE {bucket}
  GROUP BY {level.key}
), {_epochs_of_nodes(bucket) if by_node else _epochs_of_accelerators(bucket)}, context AS (
  SELECT accelerator_id, counters_since, {_list(f"max({name}) AS {name}_before" for name in _NAMES)}
  FROM accelerator_sample s
  WHERE s.time >= %(since)s - {CONTEXT} AND s.time < %(since)s{scope} AND s.counters_since IS NOT NULL
  GROUP BY accelerator_id, counters_since
), met AS (
  SELECT e.*, c.accelerator_id IS NOT NULL AS heard_before, {_list(f"c.{name}_before" for name in _NAMES)}
  FROM epoch e
  LEFT JOIN context c ON c.accelerator_id = e.accelerator_id AND c.counters_since = e.counters_since
), {_opening()}, {_without_start(by_node=by_node, bucket=bucket)}, grown AS (
  SELECT
    e.{level.key},
    {_list(f"sum({_growth(metric)})::{metric.type} AS {metric.column}_increase" for metric in COUNTERS)}
  FROM met e
  LEFT JOIN opening o
    ON o.accelerator_id = e.accelerator_id AND o.counters_since = e.counters_since AND o.node_id = e.node_id
  LEFT JOIN without_start w
    ON e.counters_since IS NULL AND w.accelerator_id = e.accelerator_id{" AND w.node_id = e.node_id" if by_node else ""}
  GROUP BY e.{level.key}
), {_listed(part=by_node and part)}
SELECT
  %(since)s,
  {"l.node_id" if by_node else "r.accelerator_id, r.node_id"},
  coalesce(r.samples, 0),
  CASE WHEN l.listed_s > 0 THEN coalesce(r.samples, 0) END,
  nullif(l.{"accelerators_s" if by_node else "listed_s"}, 0) / l.tick_s,
  {_list((f"coalesce(r.status_{state}, 0) * l.tick_s" for state in STATES), 2)},
  {_list(map(_gauge_as_it_is, GAUGES), 2)},
  {_list((f"g.{name}_increase" for name in _NAMES), 2)}
FROM listed l
{"LEFT JOIN" if by_node else "JOIN"} reading r USING (node_id)
LEFT JOIN grown g USING ({level.key})
WHERE r.samples > 0 OR l.accelerators_s > 0"""


_NAMES = tuple(metric.column for metric in COUNTERS)

# Beside an accelerator's readings, in the same pass: its counters, right for all but the few that were reset.
_ONLY_EPOCH = f"""max(node_id) AS node_id,
    min(time) AS first_time,
    min(counters_since) AS counters_since,
    min(counters_since) = max(counters_since) AND count(counters_since) = count(*) AS one_epoch,
    {", ".join(f"max({name}) AS {name}" for name in _NAMES)},"""


def _epochs_of_accelerators(bucket: str) -> str:
    return f"""\
epoch AS (
  SELECT accelerator_id, node_id, counters_since, first_time, {", ".join(_NAMES)} FROM reading WHERE one_epoch
  UNION ALL
  SELECT accelerator_id, max(node_id), counters_since, min(time), {", ".join(f"max({name})" for name in _NAMES)}
  FROM accelerator_sample s
  WHERE {bucket} AND accelerator_id IN (SELECT accelerator_id FROM reading WHERE one_epoch IS NOT TRUE)
  GROUP BY accelerator_id, counters_since
)"""


def _epochs_of_nodes(bucket: str) -> str:
    return f"""\
epoch AS (
  SELECT accelerator_id, node_id, counters_since, min(time) AS first_time, {", ".join(f"max({name}) AS {name}" for name in _NAMES)}
  FROM accelerator_sample s
  WHERE {bucket}
  GROUP BY accelerator_id, node_id, counters_since
)"""


def _opening() -> str:
    """What the counters of an epoch stood at before the bucket, where the last minute does not tell."""
    missing = " ".join(f"OR e.{name} IS NOT NULL AND e.{name}_before IS NULL" for name in _NAMES)
    return f"""\
opening AS (
  SELECT
    e.accelerator_id,
    e.node_id,
    e.counters_since,
    watched_from(e.accelerator_id, e.counters_since, e.first_time) AS watched,
    b.earlier,
    {_list(f"b.{name}, l.{name}_lowest" for name in _NAMES)}
  FROM met e
  LEFT JOIN LATERAL (
    SELECT true AS earlier, s.* FROM accelerator_sample s
    WHERE {_SAME_EPOCH} AND s.time >= e.counters_since AND s.time < %(since)s
    ORDER BY s.time DESC LIMIT 1
  ) b ON true
  LEFT JOIN LATERAL (
    SELECT {_list((f"min(s.{name}) AS {name}_lowest" for name in _NAMES), 6)}
    FROM accelerator_sample s
    WHERE {_SAME_EPOCH} AND s.time >= %(since)s AND s.time < %(until)s
  ) l ON true
  WHERE e.counters_since IS NOT NULL AND (NOT e.heard_before {missing})
)"""


def _of_level(level: Level, *, part: bool) -> str:
    """From the finer buckets of the same thing.

    An accelerator's silent buckets have no rows: what it should have sent comes from the inventory again.
    """
    accelerator = level.thing == "accelerator"
    scope = _of_part(level, f"g.{level.key}", part=part)
    expected = "max(nullif(l.listed_s, 0) / l.tick_s)" if accelerator else "sum(g.samples_expected)"
    return f"""\
{f"WITH {_listed(part=False)}" if accelerator else ""}
SELECT
  %(since)s,
  g.{level.key}{", max(g.node_id)" if accelerator else ""},
  {_merged_levels(expected)}
FROM {level.source} g
{"JOIN listed l USING (node_id)" if accelerator else ""}
WHERE g.bucket >= %(since)s AND g.bucket < %(until)s{scope}
GROUP BY g.{level.key}"""


def _factory_of_nodes(*, part: bool) -> str:
    """From its nodes. What they should have sent comes from the inventory, which also lists nodes that never did."""
    return f"""\
WITH inventory AS (
  SELECT i.factory_id, sum(i.accelerators * {_LISTED_S}) AS accelerators_s
  FROM inventory_node i
  WHERE i.valid_from < %(until)s AND (i.valid_to IS NULL OR i.valid_to > %(since)s)
  GROUP BY i.factory_id
), seen AS (
  SELECT n.factory_id, r.*
  FROM rollup_node_1min r
  JOIN node n USING (node_id)
  WHERE r.bucket = %(since)s
)
SELECT
  %(since)s,
  f.factory_id,
  {
        _merged_levels(
            "max(nullif(i.accelerators_s, 0) / export_interval_s(f.factory_id, %(since)s))",
            had="CASE WHEN max(i.accelerators_s) > 0 THEN coalesce(sum(g.samples_had), 0) END",
        )
    }
FROM factory f
LEFT JOIN inventory i USING (factory_id)
LEFT JOIN seen g USING (factory_id)
WHERE (g.factory_id IS NOT NULL OR i.accelerators_s > 0){" AND f.factory_id = ANY (%(things)s::text[])" if part else ""}
GROUP BY f.factory_id"""


def _of_part(level: Level, column: str, *, part: bool) -> str:
    kind = "text" if level.thing == "factory" else "int"
    return f" AND {column} = ANY (%(things)s::{kind}[])" if part else ""


_LISTED_S = """greatest(0, extract(epoch FROM
      least(i.valid_to, %(until)s) - greatest(i.valid_from, %(since)s, (SELECT watching_since FROM storage_window))))"""
"""For how many seconds of the bucket the inventory lists a node; none before this database watched anything."""


def _listed(*, part: bool) -> str:
    """Each node: for how long it is listed, with how many accelerator-seconds, and how often it should send."""
    return f"""\
listed AS (
  SELECT
    n.node_id,
    t.tick_s,
    sum({_LISTED_S}) FILTER (WHERE i.accelerators > 0) AS listed_s,
    sum(i.accelerators * {_LISTED_S}) AS accelerators_s
  FROM node n
  JOIN (SELECT factory_id, export_interval_s(factory_id, %(since)s) AS tick_s FROM factory) t USING (factory_id)
  LEFT JOIN inventory_node i
    ON i.factory_id = n.factory_id AND i.host_name = n.host_name
    AND i.valid_from < %(until)s AND (i.valid_to IS NULL OR i.valid_to > %(since)s)
  {"WHERE n.node_id = ANY (%(things)s::int[])" if part else ""}
  GROUP BY n.node_id, t.tick_s
)"""


def _gauge_of_samples(metric: Metric) -> str:
    name = metric.column
    return (
        f"min({name}) AS {name}_min, max({name}) AS {name}_max, "
        f"sum({name}::float8) AS {name}_sum, count({name}) AS {name}_count"
    )


def _gauge_as_it_is(metric: Metric) -> str:
    name = metric.column
    return f"r.{name}_min, r.{name}_max, r.{name}_sum, coalesce(r.{name}_count, 0)"


def _merged_gauge(metric: Metric) -> str:
    name = metric.column
    return f"min(g.{name}_min), max(g.{name}_max), sum(g.{name}_sum), coalesce(sum(g.{name}_count), 0)"


def _merged_levels(expected: str, had: str = "sum(g.samples_had)") -> str:
    return _list(
        (
            "coalesce(sum(g.samples), 0)",
            had,
            expected,
            *(f"coalesce(sum(g.status_{state}_seconds), 0)" for state in STATES),
            *map(_merged_gauge, GAUGES),
            *(f"sum(g.{metric.column}_increase)::{metric.type}" for metric in COUNTERS),
        ),
        2,
    )


_SAME_EPOCH = "s.accelerator_id = e.accelerator_id AND s.counters_since = e.counters_since"


def _growth(metric: Metric) -> str:
    """By how much a counter grew in an epoch: from its last value before the bucket on.

    Where the epoch began here: from zero, if the accelerator was watched when the counter started; else from the lowest
    value that was seen.
    """
    name = metric.column
    return f"""\
CASE
      WHEN e.{name} IS NULL THEN NULL
      WHEN e.counters_since IS NULL THEN w.{name}
      ELSE greatest(0, e.{name} - coalesce(
        e.{name}_before,
        o.{name},
        CASE WHEN o.earlier THEN (
          SELECT s.{name} FROM accelerator_sample s
          WHERE {_SAME_EPOCH} AND s.time >= e.counters_since AND s.time < %(since)s AND s.{name} IS NOT NULL
          ORDER BY s.time DESC LIMIT 1) END,
        CASE WHEN o.watched THEN 0 ELSE o.{name}_lowest END
      ))
    END"""


def _without_start(*, by_node: bool, bucket: str) -> str:
    """Growth where the sender does not say since when its counters count: reading by reading, a fall is a reset."""
    key = "accelerator_id, node_id" if by_node else "accelerator_id"
    values = f"""\
CROSS JOIN LATERAL (VALUES
      {_list((f"('{metric.column}', s.{metric.column}::float8)" for metric in COUNTERS), 6)}
    ) AS v (counter, value)"""
    sums = _list(f"sum(grew) FILTER (WHERE counter = '{metric.column}') AS {metric.column}" for metric in COUNTERS)
    return f"""\
loose AS (
  SELECT s.accelerator_id, s.node_id, s.time, v.counter, v.value
  FROM accelerator_sample s
    {values}
  WHERE EXISTS (SELECT FROM epoch WHERE counters_since IS NULL)
    AND s.counters_since IS NULL AND v.value IS NOT NULL AND {bucket}
), before AS (
  SELECT l.accelerator_id, NULL::int AS node_id, p.time, l.counter, p.value
  FROM (SELECT DISTINCT accelerator_id, counter FROM loose) l
  CROSS JOIN LATERAL (
    SELECT s.time, v.value
    FROM accelerator_sample s
    {values}
    WHERE s.accelerator_id = l.accelerator_id AND s.counters_since IS NULL AND s.time < %(since)s
      AND v.counter = l.counter AND v.value IS NOT NULL
    ORDER BY s.time DESC LIMIT 1
  ) p
), without_start AS (
  SELECT
    {key},
    {sums}
  FROM (
    SELECT
      accelerator_id, node_id, time, counter,
      CASE
        WHEN value < lag(value) OVER readings THEN value
        ELSE coalesce(value - lag(value) OVER readings, 0)
      END AS grew
    FROM (TABLE loose UNION ALL TABLE before) r
    WINDOW readings AS (PARTITION BY accelerator_id, counter ORDER BY time)
  ) q
  WHERE time >= %(since)s
  GROUP BY {key}
)"""


def _list(parts: Iterable[str], indent: int = 4) -> str:
    return f",\n{' ' * indent}".join(parts)
