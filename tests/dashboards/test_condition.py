from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from gigawatch_dashboards import words
from gigawatch_dashboards.condition import Absent, Condition, absent, nodes, problems, short_nodes
from gigawatch_dashboards.freshness import Freshness, freshness
from gigawatch_dashboards.hall import CELLS, hall, shared_prefix
from gigawatch_dashboards.queries.factory import Accelerator, InventoryNode, Known, Seen

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
INTERVAL = timedelta(seconds=15)
FRESH = freshness(NOW, NOW, NOW, INTERVAL)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def accelerator(node: str, index: int, state: str | None = "ok", throttled: float | None = 0.0) -> Accelerator:
    number = hash((node, index)) % 10_000
    return Accelerator(
        number, node, "R1", f"GPU-{node}-{index}", index, "H200", NOW, state, 0.5, 400.0, 60.0, throttled
    )


def node(name: str, accelerators: int = 2, rack: str = "R1") -> InventoryNode:
    return InventoryNode(name, rack, accelerators, "H200")


def kinds(condition: Condition, fresh: Freshness = FRESH) -> list[tuple[str, tuple[str, ...]]]:
    return [(problem.kind, problem.members) for problem in problems(condition, fresh)]


def test_a_silent_node_is_named_with_its_last_sign_and_its_accelerators_are_missing() -> None:
    found = nodes(
        [node("a"), node("b")], [accelerator("a", 0), accelerator("a", 1)], [], [Seen("b", None, ago(7))], NOW
    )
    condition = Condition(found)
    assert (condition.expected, len(condition.answering), condition.missing) == (4, 2, 2)
    assert [(one.host_name, one.last_seen) for one in condition.silent] == [("b", ago(7))]
    assert (
        words.seen_of_expected(condition).replace("\u00a0", " ")
        == "2 of 4 expected accelerators answer: 2 not reporting."
    )
    [problem] = problems(condition, FRESH)
    title, text = words.problem(problem, NOW)
    assert title == "Node b is silent"
    assert text.replace("\u00a0", " ") == "Last heard of at 11:53:00 UTC, 7 min ago; rack R1"


def test_a_surplus_on_one_node_hides_no_shortage_on_another() -> None:
    heard = [accelerator("a", number) for number in range(3)] + [accelerator("b", 0)]
    condition = Condition(nodes([node("a"), node("b")], heard, [], [], NOW))
    assert (condition.missing, [one.accelerator_index for one in condition.unlisted]) == (1, [2])
    assert kinds(condition) == [("fewer", ("1 of 2",)), ("unlisted", ("a GPU 2",))]


def test_a_missing_accelerator_of_a_reporting_node_is_named() -> None:
    heard = [accelerator("a", 0)]
    found = nodes([node("a")], heard, [], [], NOW)
    assert short_nodes(found) == ["a"]
    known = [Known(heard[0].accelerator_id, "a", "GPU-a-0", 0, NOW), Known(-1, "a", "GPU-a-1", 1, ago(3))]
    condition = Condition(found, absent(known, heard, NOW))
    assert condition.absent == (Absent(-1, "a", "GPU-a-1", 1, ago(3)),)
    assert kinds(condition) == [("absent", ("a GPU 1",))]


def test_an_accelerator_that_was_replaced_days_ago_is_not_missed() -> None:
    assert absent([Known(-1, "a", "GPU-old", 1, ago(3000)), Known(-2, "a", "GPU-never", 1, None)], [], NOW) == ()


def test_lost_unresponsive_and_failed_are_named_one_by_one_and_come_before_warnings() -> None:
    states = ["degraded", "lost", "failed", "unresponsive"]
    heard = [accelerator("a", number, state) for number, state in enumerate(states)]
    condition = Condition(nodes([node("a", 4)], heard, [], [], NOW), last_ok={heard[1].accelerator_id: ago(9)})
    assert kinds(condition) == [
        ("lost", ("a GPU 1",)),
        ("unresponsive", ("a GPU 3",)),
        ("failed", ("a GPU 2",)),
        ("degraded", ("a GPU 0",)),
    ]
    title, text = words.problem(problems(condition, FRESH)[0], NOW)
    assert (title, text.replace("\u00a0", " ")) == (
        "a GPU 1 is lost",
        "Off the bus; since 11:51:00 UTC (9 min); rack R1",
    )
    assert [one.state for one in condition.answering] == ["degraded", "failed"]


def test_a_rack_where_every_node_is_silent_is_one_problem() -> None:
    found = nodes([node("a"), node("b"), node("c", rack="R2")], [accelerator("c", 0), accelerator("c", 1)], [], [], NOW)
    assert kinds(Condition(found)) == [("rack", ("a", "b"))]


def test_throttled_accelerators_are_one_problem_a_rack() -> None:
    heard = [accelerator("a", number, throttled=0.4 if number else None) for number in range(3)]
    condition = Condition(nodes([node("a", 3)], heard, [], [], NOW))
    assert kinds(condition) == [("throttled", ("a GPU 1", "a GPU 2"))]


def test_when_telemetry_has_stopped_nothing_else_is_claimed() -> None:
    stalled = freshness(ago(10), ago(10), NOW, INTERVAL)
    condition = Condition(nodes([node("a")], [], [], [Seen("a", None, ago(10))], NOW))
    assert kinds(condition, stalled) == [("stalled", ())]
    assert (
        words.verdict(condition, stalled, problems(condition, stalled), live=True) == "Unknown: telemetry has stopped"
    )


def test_a_past_moment_without_telemetry_is_unknown_and_never_blank() -> None:
    stopped = freshness(ago(0.9), None, NOW, INTERVAL)
    condition = Condition(nodes([node("a", 1)], [accelerator("a", 0)], [], [], NOW))
    told = words.verdict(condition, stopped, problems(condition, stopped), live=False)
    assert told == "Unknown: telemetry had stopped at this moment"
    nothing = freshness(None, None, NOW, INTERVAL)
    silent = Condition(nodes([node("a", 1)], [], [], [], NOW))
    assert kinds(silent, nothing) == []
    assert words.verdict(silent, nothing, [], live=False).startswith("Nothing is known of this moment")


def test_without_an_inventory_nothing_is_called_missing_and_the_page_says_why() -> None:
    condition = Condition(nodes([], [accelerator("a", 0)], [], [Seen("b", None, ago(7))], NOW))
    assert (condition.expected, condition.missing, condition.unlisted) == (None, 0, [])
    assert "there is no inventory" in words.seen_of_expected(condition)
    assert kinds(condition) == [("silent", ("b",))]


def test_a_node_outside_the_inventory_is_forgotten_after_a_day_and_one_inside_never_is() -> None:
    seen = [Seen("old", None, ago(1500)), Seen("listed", None, ago(9000))]
    found = nodes([node("listed")], [], [], seen, NOW)
    assert [one.host_name for one in found] == ["listed"]


def test_freshness_counts_export_intervals_and_no_clock_that_runs_ahead_hides_a_stall() -> None:
    states = [freshness(NOW - n * INTERVAL, None, NOW, INTERVAL).state for n in (0, 2, 2.5, 3, 3.1)]
    assert states == ["fresh", "fresh", "late", "late", "stalled"]
    ahead = freshness(NOW + timedelta(minutes=4), ago(2), NOW, INTERVAL)
    assert (ahead.state, ahead.age) == ("stalled", timedelta(minutes=2))
    assert freshness(None, None, NOW, INTERVAL).state == "none"
    assert words.freshness(ahead).startswith("Stalled: no sample for")


STATES = some.sampled_from(["ok", "degraded", "failed", "unresponsive", "lost", None])


@given(some.dictionaries(some.sampled_from("abcdef"), some.integers(0, 4), min_size=1), some.data())
def test_every_expected_accelerator_is_heard_of_or_missing(listed: dict[str, int], data: some.DataObject) -> None:
    """Expected = heard of - surplus + missing, whatever reports."""
    heard = [
        accelerator(name, index, data.draw(STATES))
        for name in data.draw(some.sets(some.sampled_from("abcdefgh")))
        for index in range(data.draw(some.integers(1, 5)))
    ]
    condition = Condition(nodes([node(name, number) for name, number in listed.items()], heard, [], [], NOW))
    assert condition.expected == len(condition.accelerators) - len(condition.unlisted) + condition.missing


@given(some.lists(some.text("ab-._", max_size=6), unique=True))
def test_labels_in_the_hall_leave_out_only_what_all_names_begin_with(names: list[str]) -> None:
    shared = shared_prefix(names)
    assert all(one.startswith(shared) for one in names)
    assert shared == "" or shared[-1] in "-._"
    assert len({one.removeprefix(shared) for one in names}) == len(names)


def test_labels_in_the_hall_are_what_tells_nodes_apart() -> None:
    assert shared_prefix(["aurora-r01n01", "aurora-r01n02", "aurora-r02n01"]) == "aurora-"
    assert shared_prefix(["r01n01", "r01n02"]) == shared_prefix(["alone-1"]) == ""


def test_a_hall_has_a_cell_for_every_accelerator_heard_of_or_missing_until_it_is_too_large() -> None:
    heard = [accelerator("a-1", number, "lost" if number else "ok") for number in range(2)]
    condition = Condition(nodes([node("a-1", 3), node("a-2", 1)], heard, [], [], NOW))
    [rack] = hall(condition, "temperature")
    assert [(row.label, [cell.state for cell in row.cells]) for row in rack.rows] == [
        ("1", ["ok", "lost", "silent"]),
        ("2", ["silent"]),
    ]
    assert rack.rows[0].cells[0].level == 0.5, "60 °C lies half-way from 30 to 90"
    many = [accelerator("n", number, "failed" if number == 7 else "ok") for number in range(CELLS + 1)]
    [large] = hall(Condition(nodes([node("n", CELLS + 1)], many, [], [], NOW)), "status")
    assert [[(cell.label, cell.state) for cell in row.cells] for row in large.rows] == [[("n", "failed")]]
