"""Invariants of the search tree, under any order of expansions, backups and closings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.planners.tree import (
    Node,
    Selection,
    backup,
    best_child,
    close,
    expand,
    flatten,
    lineage,
    select,
)

RULES: list[Selection] = ["puct", "uct"]
episodes = st.lists(
    st.tuples(st.lists(st.sampled_from("abcd"), max_size=6), st.floats(0, 1), st.booleans()),
    min_size=1,
    max_size=40,
)


def grow(script: list[tuple[list[str], float, bool]], rule: Selection) -> Node:
    """Search for as long as the script lasts: expand the leaf, value it, maybe close it."""
    root = Node()
    for proposals, value, ends in script:
        leaf = select(root, exploration=1.0, rule=rule)
        if leaf is None:
            break
        if leaf.parent is None or leaf.visits > 0:
            expand(leaf, proposals, asked=len(proposals) + 1)
            if leaf.closed:
                continue
            leaf = best_child(leaf, exploration=1.0, rule=rule)
        backup(leaf, value)
        if ends and not leaf.expanded:
            close(leaf)
    return root


@pytest.mark.parametrize("rule", RULES)
@given(script=episodes)
@settings(deadline=None, max_examples=60)
def test_visits_and_values_add_up(rule: Selection, script: list) -> None:
    root = grow(script, rule)
    for _, node in flatten(root):
        assert node.visits >= sum(child.visits for child in node.children)
        if node.visits:
            assert 0.0 <= node.mean <= node.best + 1e-12 <= 1.0 + 1e-12
        for child in node.children:
            if child.visits:
                assert child.best <= node.best
        if node.expanded and node.children:
            assert 0.0 < sum(child.prior for child in node.children) <= 1.0
            assert node.closed == all(child.closed for child in node.children)


@pytest.mark.parametrize("rule", RULES)
@given(script=episodes)
@settings(deadline=None, max_examples=60)
def test_selection_ends_in_an_open_leaf_or_says_there_is_none(
    rule: Selection, script: list
) -> None:
    root = grow(script, rule)
    leaf = select(root, exploration=1.0, rule=rule)
    if leaf is None:
        assert root.closed
    else:
        assert not leaf.closed
        assert not leaf.expanded or leaf.wants_more
        assert list(lineage(leaf))[-1] is root


def test_the_policys_favourite_comes_first_and_ties_go_to_the_older() -> None:
    root = Node()
    expand(root, ["b", "a", "a", "c"], asked=4)
    assert [(child.action, child.prior) for child in root.children] == [
        ("a", 0.5),
        ("b", 0.25),
        ("c", 0.25),
    ]
    for _ in range(2):
        backup(root.children[0], 0.5)
    assert select(root, exploration=1.0, rule="puct") is root.children[1]


def test_uct_tries_every_child_once_first() -> None:
    root = Node()
    expand(root, list("abc"), asked=9)
    tried = []
    for value in (0.9, 0.1, 0.2):
        leaf = select(root, exploration=0.1, rule="uct")
        assert leaf is not None
        tried.append(leaf.action)
        backup(leaf, value)
    assert tried == ["a", "b", "c"]


def test_without_exploration_the_best_return_wins() -> None:
    root = Node()
    expand(root, list("ab"), asked=9)
    first, second = root.children
    backup(first, 0.3)
    for value in (0.1, 0.6):
        backup(second, value)
    assert select(root, exploration=0.0, rule="puct") is second


def test_asking_again_adds_up() -> None:
    root = Node()
    assert [child.action for child in expand(root, ["a", "a", "b"], asked=3)] == ["a", "b"]
    assert not root.wants_more
    for _ in range(3):
        backup(root.children[0], 0.5)
    assert root.wants_more
    assert select(root, exploration=1.0, rule="puct") is root
    assert [child.action for child in expand(root, ["b", "c", "a"], asked=3)] == ["c"]
    assert [(child.action, child.prior) for child in root.children] == [
        ("a", 3 / 6),
        ("b", 2 / 6),
        ("c", 1 / 6),
    ]
    assert not root.wants_more


def test_a_node_without_proposals_is_closed() -> None:
    root = Node()
    expand(root, [], asked=4)
    assert root.closed
    assert select(root, exploration=1.0, rule="puct") is None
