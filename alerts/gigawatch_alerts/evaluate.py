"""Rules against the database at a moment: what is seen becomes changes of state, stored with what is to be told.

A rule that fails leaves the others untouched and its own alerts as they are, and becomes the alert RuleFailed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import psycopg

from gigawatch_alerts import conditions, state, store, templates
from gigawatch_alerts.conditions import Found, RuleFailure
from gigawatch_alerts.labels import ALERTNAME, Labels, alert_id
from gigawatch_alerts.rules import RULE_FAILED, Group, Rule
from gigawatch_alerts.state import Episode, Timing
from gigawatch_alerts.store import Changed, Live, Saying
from gigawatch_alerts.templates import Scope
from gigawatch_contract import links, resource

if TYPE_CHECKING:
    from gigawatch_alerts.routes import Route

log = logging.getLogger(__name__)

Say = Callable[[Scope], dict[str, str]]
"""The annotations of an alert."""
_AT_ONCE: Final = Timing()
_SILENT: Final[Say] = lambda _: {}  # noqa: E731 - the shortest way to say nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What an evaluation needs to know beside its rules."""

    routes: Sequence[Route] = ()
    external_url: str = ""
    """The address of the pages, without a slash at the end; links in alerts begin with it."""
    query_timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one evaluation of a group did."""

    changes: list[Changed] = field(default_factory=list[Changed])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    """Why a rule failed, by its name."""
    duration_s: float = 0.0


def evaluate_at(
    connection: psycopg.Connection, groups: Sequence[Group], now: datetime, context: Context | None = None
) -> list[Changed]:
    """Evaluate all groups at a moment, which may be past: a replay goes through it moment by moment, forwards."""
    outcomes = (evaluate(connection, group, now, context or Context()) for group in groups)
    return [change for outcome in outcomes if outcome for change in outcome.changes]


def evaluate(
    connection: psycopg.Connection,
    group: Group,
    now: datetime,
    context: Context,
    *,
    unless_within: timedelta = timedelta(),
) -> Outcome | None:
    """Evaluate one group; None where another process does, or did less than `unless_within` ago.

    Raises:
        psycopg.OperationalError: the connection is lost; nothing half-done remains.
    """
    started = time.monotonic()
    with _alone(connection, group.name) as alone:
        last = _last(connection, group.name)
        if not alone or (last is not None and timedelta() <= now - last < unless_within):
            return None
        # A clock that was set back must not stop alerts, nor resolve one before it fired.
        moment = max(now, last) if last else now
        evaluation = _Evaluation(connection, group, now, moment, context)
        changes, failures = evaluation.run()
        duration = time.monotonic() - started
        connection.execute(
            """
            INSERT INTO alert_evaluation (rule_group, evaluated_at, duration, failed_rules) VALUES (%s, %s, %s, %s)
            ON CONFLICT (rule_group) DO UPDATE
              SET evaluated_at = excluded.evaluated_at, duration = excluded.duration, failed_rules = excluded.failed_rules
            """,
            [group.name, moment, timedelta(seconds=duration), sorted(failures)],
        )
    return Outcome(changes, failures, duration)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    connection: psycopg.Connection
    group: Group
    now: datetime
    moment: datetime
    context: Context

    def run(self) -> tuple[list[Changed], dict[str, str]]:
        changes: list[Changed] = []
        failures: dict[str, str] = {}
        for rule in self.group.rules:
            try:
                changes += self._rule(rule)
            except (RuleFailure, psycopg.Error) as error:
                if self.connection.broken:
                    raise
                failures[rule.name] = str(error).partition("\n")[0]
                log.error("rule %s of group %s fails: %s", rule.name, self.group.name, failures[rule.name])  # noqa: TRY400 - the message says where; a traceback would not
        changes += self._failed(failures)
        changes += self._removed()
        return changes, failures

    def _rule(self, rule: Rule) -> list[Changed]:
        with conditions.reading(self.connection, self.context.query_timeout):
            seen: dict[UUID, Found] = {}
            for found in conditions.find(self.connection, rule, self.now, self.group.limit):
                labels = _labels(rule, found, self.moment)
                seen.setdefault(alert_id(labels), Found(labels, found.value))
            live = store.live(self.connection, rule.group, rule.name)
            missing = {key: alert for key, alert in live.items() if key not in seen}
            clear = self._clear(rule, missing) if missing else frozenset[UUID]()
        timing = Timing(hold=rule.hold, keep_firing_for=rule.keep_firing_for)

        def say(scope: Scope) -> dict[str, str]:
            return {name: template.render(scope) for name, template in rule.annotations.items()}

        return self._settle(rule.name, live, seen=seen, clear=clear, timing=timing, say=say)

    def _clear(self, rule: Rule, missing: Mapping[UUID, Live]) -> Collection[UUID]:
        if rule.known is None:
            return missing.keys()
        known = conditions.known(self.connection, rule.known, self.now)
        labels = store.labels(self.connection, [alert.instance_id for alert in missing.values()])
        return {key for key, alert in missing.items() if known.covers(labels[alert.instance_id])}

    def _failed(self, failures: Mapping[str, str]) -> list[Changed]:
        seen: dict[UUID, Found] = {}
        for name in failures:
            labels = {ALERTNAME: RULE_FAILED, "group": self.group.name, "rule": name, "severity": "critical"}
            seen[alert_id(labels)] = Found(labels, None)
        live = store.live(self.connection, self.group.name, RULE_FAILED)

        def say(scope: Scope) -> dict[str, str]:
            rule = scope.labels["rule"]
            return {
                "summary": f"Alert rule {rule} fails: {failures[rule]}",
                "description": f"Rule {rule} of group {self.group.name} has failed since "
                f"{templates.moment(scope.active_since)}. Its alerts stay as they were; new ones are not seen.",
                "action": "Mend the rule (`gigawatch alerts check FILE`) or what it reads, then restart the service.",
            }

        return self._settle(RULE_FAILED, live, seen=seen, clear=live.keys() - seen.keys(), say=say)

    def _removed(self) -> list[Changed]:
        """Alerts of rules that the group no longer has: there is nothing left to judge them by, and they end."""
        here = {RULE_FAILED, *(rule.name for rule in self.group.rules)}
        changes: list[Changed] = []
        for name in sorted(store.live_rules(self.connection, self.group.name) - here):
            live = store.live(self.connection, self.group.name, name)
            changes += self._settle(name, live, seen={}, clear=live.keys(), reason="the rule was removed")
        return changes

    def _settle(
        self,
        rule: str,
        live: Mapping[UUID, Live],
        *,
        seen: Mapping[UUID, Found],
        clear: Collection[UUID],
        timing: Timing = _AT_ONCE,
        say: Say = _SILENT,
        reason: str | None = None,
    ) -> list[Changed]:
        """Step the alerts of one rule, and store what changed with what is to be told."""
        episodes: dict[UUID, Episode] = {key: alert.episode for key, alert in live.items()}
        steps = state.step(episodes, seen.keys(), clear, timing, self.moment)
        gone = [live[key].instance_id for key in steps if key not in seen]
        stored = store.labels(self.connection, gone) if gone else {}
        changes: list[Changed] = []
        for key, step in steps.items():
            found = seen.get(key)
            fires = step.before is None or "firing" in step.changes
            changes.append(
                Changed(
                    alert_id=key,
                    rule_group=self.group.name,
                    rule=rule,
                    step=step,
                    instance_id=live[key].instance_id if key in live else None,
                    labels=found.labels if found else stored[live[key].instance_id],
                    saying=self._say(found, step.after, say) if found and step.after and fires else None,
                    reason=reason,
                )
            )
        store.write(self.connection, changes, self.context.routes, time=self.moment, now=self.now)
        return changes

    def _say(self, found: Found, episode: Episode, say: Say) -> Saying:
        link = link_to(found.labels, episode.active_since, self.context.external_url)
        scope = Scope(labels=found.labels, value=found.value, active_since=episode.active_since, link=link)
        return Saying(labels=found.labels, annotations=say(scope), link=link, value=found.value)


def link_to(labels: Labels, at: datetime, external_url: str) -> str:
    """The address of the page that shows what an alert speaks of, at its moment."""
    factory = labels.get("factory")
    if factory is None:
        return external_url + links.network()
    return external_url + links.factory(
        factory, at=templates.moment(at), node=labels.get("node"), event=labels.get("event_id")
    )


def _labels(rule: Rule, found: Found, moment: datetime) -> dict[str, str]:
    """All labels of an alert: the row's, the rule's over them, and a word where its telemetry is simulated."""
    scope = Scope(labels=found.labels, value=found.value, active_since=moment, link="")
    own = {name: text for name, template in rule.labels.items() if (text := template.render(scope))}
    labels = {**found.labels, **own, ALERTNAME: rule.name}
    if resource.is_fictional(labels.get("factory", "")):
        labels["simulated"] = "true"
    return labels


@contextmanager
def _alone(connection: psycopg.Connection, group: str) -> Generator[bool]:
    """Whether this process evaluates the group now; the lock goes with the connection."""
    lock = ["gigawatch alerts " + group]
    row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", lock).fetchone()
    alone = row == (True,)
    try:
        yield alone
    finally:
        if alone and not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", lock)


def _last(connection: psycopg.Connection, group: str) -> datetime | None:
    row = connection.execute("SELECT evaluated_at FROM alert_evaluation WHERE rule_group = %s", [group]).fetchone()
    return row[0] if row else None
