"""The search by itself: what adds up, what does not depend on order, and whom it equals."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.planners.search import (
    Edge,
    Expanded,
    Failed,
    Node,
    Played,
    Result,
    Rules,
    Search,
    Simulated,
    Ticket,
    flatten,
)
from armap.planners.search.graph import grow
from armap.planners.search.rules import Flight, Rule, Value, Widening
from armap.seeding import derive
from tests.unit.planners.plain import plain_search

DEPTH = 3
RULES: list[Rule] = ["puct", "uct", "released"]


class World:
    """A game of letters: what the policy proposes and what an end is worth follow from a seed."""

    def __init__(self, seed: int, *, depth: int = DEPTH, letters: str = "abcd") -> None:
        self.seed = seed
        self.depth = depth
        self.letters = letters

    def proposals(self, path: tuple[str, ...], turn: int, k: int = 4) -> list[str]:
        rng = Random(derive(self.seed, "propose", turn, *path))
        return [rng.choice(self.letters) for _ in range(rng.randint(1, k))]

    def end(self, path: tuple[str, ...]) -> tuple[str, ...]:
        rng = Random(derive(self.seed, "play", *path))
        rest = self.depth - len(path)
        return (*path, *(rng.choice(self.letters) for _ in range(rest)))

    def worth(self, end: tuple[str, ...]) -> float:
        return Random(derive(self.seed, "worth", *end)).random()

    def fails(self, path: tuple[str, ...]) -> bool:
        return Random(derive(self.seed, "fail", *path)).random() < 0.1

    def state(self, path: tuple[str, ...]) -> Hashable:
        """The order of letters does not matter."""
        return tuple(sorted(path))

    def merged_worth(self, end: tuple[str, ...]) -> float:
        return self.worth(tuple(sorted(end)))

    def answer(self, ticket: Ticket, *, merge: bool = False, failing: bool = False) -> Result:
        path = ticket.actions
        if failing and self.fails(path) and path:
            return Failed()
        if ticket.kind == "expand":
            actions = self.proposals(path, ticket.turn)
            states = {a: self.state((*path, a)) for a in actions} if merge else None
            return Expanded(actions, asked=4, states=states)
        if len(path) + ticket.turn < self.depth - 1:
            return Played()
        end = self.end(path)
        value = self.merged_worth(end) if merge else self.worth(end)
        return Simulated(value, key=end, over=len(path) == self.depth)


def run(
    world: World,
    rules: Rules,
    *,
    shuffle: Random | None = None,
    answer: Callable[[Ticket], Result] | None = None,
) -> Search:
    """Search with as many tickets out as there may be, told in the order of ``shuffle``."""
    search = Search(rules)
    answer = answer or world.answer
    out: list[Ticket] = []
    while True:
        while (shuffle is None or len(out) < rules.window) and (ticket := search.ask()):
            out.append(ticket)
            if shuffle is None:
                break
        if not out:
            break
        ticket = out.pop(0 if shuffle is None else shuffle.randrange(len(out)))
        search.tell(ticket, answer(ticket))
    search.settle()
    return search


def picture(root: Node) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for parent, edge, same in flatten(root):
        node = root if edge is None else edge.child
        tried = (edge.action, edge.count, edge.visits) if edge else ()
        found = (node.visits, node.total, node.best, node.asked, node.closed)
        rows.append((parent, same, *tried, *found))
    return rows


def rules_of(rule: Rule = "puct", **more: object) -> Rules:
    return Rules(**{"trajectories": 15, "depth": DEPTH, "rule": rule, "exploration": 0.7, **more})  # type: ignore[arg-type]


searches = given(
    seed=st.integers(0, 2**32),
    window=st.integers(1, 9),
    rule=st.sampled_from(RULES),
    widening=st.sampled_from(["resample", "progressive", "none"]),
    merge=st.booleans(),
)


@searches
@settings(deadline=None, max_examples=150)
def test_everything_adds_up(
    *, seed: int, window: int, rule: Rule, widening: Widening, merge: bool
) -> None:
    world = World(seed)
    simulated = 0

    def answer(ticket: Ticket) -> Result:
        nonlocal simulated
        result = world.answer(ticket, merge=merge, failing=True)
        simulated += isinstance(result, Simulated)
        return result

    rules = rules_of(rule, window=window, widening=widening)
    search = run(world, rules, shuffle=Random(seed), answer=answer)
    assert search.root.visits == simulated
    assert search.found <= rules.trajectories
    assert search.outstanding == 0
    for _, edge, _ in flatten(search.root):
        node = search.root if edge is None else edge.child
        assert node.flying == 0
        assert not node.busy
        assert edge is None or edge.flying == 0
        below = node.edges or []
        assert node.visits >= sum(e.visits for e in below)
        if node.parents:
            assert node.visits == sum(e.visits for e in node.parents)
        if node.visits:
            assert 0.0 <= node.mean <= node.best + 1e-12 <= 1.0 + 1e-12
        for e in below:
            assert e.child.best <= node.best, "the best return reaches every parent"
            assert e.child.depth == node.depth + 1
            assert 0 < e.prior <= 1
        if node.edges is not None:
            assert node.closed or not all(e.child.closed for e in below)


@searches
@settings(deadline=None, max_examples=100)
def test_the_order_of_telling_does_not_matter(
    *, seed: int, window: int, rule: Rule, widening: Widening, merge: bool
) -> None:
    world = World(seed)
    rules = rules_of(rule, window=window, widening=widening)

    def answer(ticket: Ticket) -> Result:
        return world.answer(ticket, merge=merge, failing=True)

    first, second = (run(world, rules, shuffle=Random(s), answer=answer) for s in (1, 2))
    assert picture(first.root) == picture(second.root)
    assert first.ending == second.ending


@given(
    seed=st.integers(0, 2**32),
    rule=st.sampled_from(RULES),
    value=st.sampled_from(["max", "mean"]),
    discount=st.sampled_from([1.0, 0.9]),
)
@settings(deadline=None, max_examples=100)
def test_one_at_a_time_it_is_the_plain_algorithm(
    seed: int, rule: Rule, value: Value, discount: float
) -> None:
    world = World(seed)
    rules = rules_of(rule, value=value, discount=discount)
    ours = run(world, rules)
    plain = plain_search(world, rules)
    assert [
        (edge.action if edge else "", node.visits, node.total, node.best if node.visits else None)
        for _, edge, _ in flatten(ours.root)
        for node in [edge.child if edge else ours.root]
    ] == plain


@given(seed=st.integers(0, 2**32), window=st.integers(1, 6))
@settings(deadline=None, max_examples=60)
def test_merged_and_unmerged_searches_agree_once_all_is_seen(seed: int, window: int) -> None:
    world = World(seed, letters="ab")
    bests = []
    for merge in (False, True):

        def answer(ticket: Ticket, *, merge: bool = merge) -> Result:
            path = ticket.actions
            if ticket.kind == "expand":
                states = {a: world.state((*path, a)) for a in "ab"} if merge else None
                return Expanded("ab", asked=2, states=states)
            end = world.end(path)
            return Simulated(world.merged_worth(end), key=end, over=len(path) == DEPTH)

        rules = rules_of(trajectories=999, patience=999, window=window, widening="none")
        search = run(world, rules, shuffle=Random(seed), answer=answer)
        assert search.root.closed
        bests.append(search.root.best)
        nodes = sum(same is None for _, _, same in flatten(search.root))
        assert nodes == (1 + 2 + 3 + 4 if merge else 1 + 2 + 4 + 8)
    assert bests[0] == bests[1]


def test_tickets_in_flight_go_elsewhere_and_leave_no_trace() -> None:
    search = Search(rules_of(window=8, exploration=0.1))
    root = search.ask()
    assert root is not None
    assert search.ask() is None, "nothing to do before the first proposals"
    search.tell(root, Expanded(list("abc"), asked=4))
    tickets = [search.ask() for _ in range(3)]
    assert [ticket.actions for ticket in tickets if ticket] == [("a",), ("b",), ("c",)]
    for ticket in tickets:
        assert ticket is not None
        search.tell(ticket, Simulated(0.5, key=ticket.actions))
    search.settle()
    assert (search.root.flying, search.root.visits) == (0, 3)


@pytest.mark.parametrize(("flight", "chosen"), [("virtual_loss", "b"), ("wu_uct", "a")])
def test_virtual_loss_repels_more_than_counts(flight: Flight, chosen: str) -> None:
    root = Node(0)
    grow(root, "ab", asked=2)
    root.edges = [Edge(root, Node(1), action, None) for action in "ab"]
    for edge, best in zip(root.edges, (0.9, 0.6), strict=True):
        edge.count, edge.visits = 1, 3
        edge.child.visits, edge.child.best = 3, best
    root.visits, root.total = 6, 4.5
    root.edges[0].flying = root.edges[0].child.flying = root.flying = 2
    choose = rules_of(flight=flight, exploration=0.1).chooser()
    edge = choose(root, set(), 0.0, 1.0)
    assert edge is not None
    assert edge.action == chosen


def test_a_straggler_holds_up_nobody_until_the_window_is_full() -> None:
    world = World(5, letters="abcdefgh")
    search = Search(rules_of(window=6, trajectories=100))
    first = search.ask()
    assert first is not None
    search.tell(first, Expanded("abcdefgh", asked=8))
    straggler = search.ask()
    done = 0
    while ticket := search.ask():
        search.tell(ticket, world.answer(ticket))
        done += 1
    assert done == 5
    assert straggler is not None
    search.tell(straggler, world.answer(straggler))
    assert search.ask() is not None


def test_what_is_under_way_counts_towards_the_budget() -> None:
    search = Search(rules_of(window=8, trajectories=2))
    search.tell(search.ask(), Expanded("abcd", asked=4))  # type: ignore[arg-type]
    first, second = search.ask(), search.ask()
    assert first is not None
    assert second is not None
    assert search.ask() is None
    search.tell(first, Simulated(0.5, key="same"))
    search.tell(second, Simulated(0.5, key="same"))
    third = search.ask()
    assert third is not None, "the two were one and the same"
    search.tell(third, Simulated(0.5, key="other"))
    assert search.ask() is None
    assert search.ending == "found 2 trajectories"


def test_a_search_that_finds_nothing_new_ends() -> None:
    world = World(1)
    search = run(
        world,
        rules_of(trajectories=50, patience=4),
        answer=lambda t: (
            Expanded("ab", asked=2) if t.kind == "expand" else Simulated(0.1, key="the one")
        ),
    )
    assert search.ending == "nothing new in 4 simulations"
    assert search.found == 1


def test_failures_close_their_branch_only() -> None:
    world = World(2)

    def answer(ticket: Ticket) -> Result:
        return Failed() if ticket.actions[:1] == ("a",) else world.answer(ticket)

    search = run(world, rules_of(trajectories=30, widening="none"), answer=answer)
    (failed,) = [e.child for e in search.root.edges or [] if e.action == "a"]
    assert failed.closed
    assert failed.visits == 0
    assert search.found > 0


def test_a_failed_second_asking_costs_nothing_but_itself() -> None:
    def answer(ticket: Ticket) -> Result:
        if ticket.kind == "expand":
            return Failed() if ticket.turn else Expanded("ab", asked=2)
        return Simulated(0.5, key=ticket.actions)

    search = run(World(0), rules_of(trajectories=3), answer=answer)
    assert search.found == 3
    assert not search.root.closed


def test_progressive_widening_opens_as_visits_grow() -> None:
    opened = []
    search = Search(rules_of(widening="progressive", trajectories=40, depth=1))
    while ticket := search.ask():
        if ticket.kind == "expand":
            search.tell(ticket, Expanded("abcdefghij", asked=10))
            continue
        search.tell(ticket, Simulated(0.5, key=(ticket.actions, search.root.visits)))
        opened.append(sum(edge.visits > 0 for edge in search.root.edges or []))
    assert opened[0] == 1
    assert opened[10] == 4, "the square root of ten, rounded up"
    assert opened[-1] == 7


def test_the_scale_of_values_does_not_matter_where_they_are_scaled() -> None:
    world = World(9)

    def scaled(factor: float) -> Callable[[Ticket], Result]:
        def answer(ticket: Ticket) -> Result:
            result = world.answer(ticket)
            if isinstance(result, Simulated):
                return Simulated(factor * result.value, key=result.key, over=result.over)
            return result

        return answer

    rules = rules_of(scale="seen", trajectories=30)
    shapes = [
        [
            (edge.action, edge.visits)
            for _, edge, _ in flatten(run(world, rules, answer=f).root)
            if edge
        ]
        for f in (scaled(1), scaled(1024))
    ]
    assert shapes[0] == shapes[1]


def test_stopping_lets_go_of_what_is_half_played() -> None:
    search = Search(rules_of(window=4))
    search.tell(search.ask(), Expanded("abcd", asked=4))  # type: ignore[arg-type]
    first, second = search.ask(), search.ask()
    assert first is not None
    assert second is not None
    search.tell(first, Played())
    search.stop()
    assert search.ask() is None
    with pytest.raises(ValueError, match="1 tickets are outstanding"):
        search.settle()
    search.tell(second, Failed(close=False))
    search.settle()
    assert search.root.flying == 0
    assert search.ending == "stopped"


def test_tickets_are_told_once_and_in_kind() -> None:
    search = Search(rules_of())
    ticket = search.ask()
    assert ticket is not None
    with pytest.raises(TypeError, match="ticket 0 is to expand, and got Simulated"):
        search.tell(ticket, Simulated(0.1, key=1))
    search.tell(ticket, Expanded("ab", asked=2))
    with pytest.raises(ValueError, match="ticket 0 was told already"):
        search.tell(ticket, Expanded("ab", asked=2))


def test_the_policys_favourite_comes_first_and_asking_again_adds_up() -> None:
    search = Search(rules_of(trajectories=99))
    search.tell(search.ask(), Expanded(["b", "a", "a", "c"], asked=4))  # type: ignore[arg-type]
    edges = search.root.edges
    assert edges is not None
    assert [(edge.action, edge.prior) for edge in edges] == [("a", 0.5), ("b", 0.25), ("c", 0.25)]
    while (ticket := search.ask()) and (ticket.kind == "simulate" or ticket.path):
        answer: Result = Simulated(0.5, key=ticket.number)
        search.tell(ticket, answer if ticket.kind == "simulate" else Expanded("xyz", asked=3))
    assert ticket is not None
    assert search.root.visits == 4
    assert ticket.turn == 4
    search.tell(ticket, Expanded(["b", "d", "a", "d"], asked=4))
    search.ask()
    assert [(edge.action, edge.count) for edge in edges] == [("a", 3), ("b", 2), ("c", 1), ("d", 2)]
