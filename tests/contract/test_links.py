from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from gigawatch_contract import links

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def test_the_network_is_the_first_page() -> None:
    assert links.network() == "/"


def test_a_link_names_the_factory_the_moment_the_node_and_the_event() -> None:
    found = links.factory("sim-aurora", at="2026-10-10T08:00:00+00:00", node="n1", event="e1")
    assert found == "/factory/sim-aurora?at=2026-10-10T08%3A00%3A00%2B00%3A00&node=n1&event=e1"


@given(WORDS, st.none() | WORDS, st.none() | WORDS, st.none() | WORDS)
def test_whatever_is_put_into_a_link_comes_out_again(
    factory: str, at: str | None, node: str | None, event: str | None
) -> None:
    """Host names and events come from the network: they must neither break the link nor lead elsewhere."""
    parts = urlsplit(links.factory(factory, at=at, node=node, event=event))
    assert (parts.scheme, parts.netloc, parts.fragment) == ("", "", "")
    head, _, tail = parts.path.removeprefix("/").partition("/")
    assert head == "factory"
    assert "/" not in tail
    assert unquote(tail) == factory
    given_values = {"at": at, "node": node, "event": event}
    assert parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)) == {
        key: [value] for key, value in given_values.items() if value is not None
    }
