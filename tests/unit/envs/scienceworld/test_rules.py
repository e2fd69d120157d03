from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.envs.scienceworld.catalogue import KINDS, find, listed, native
from armap.envs.scienceworld.env import ScienceWorldConfig, resets
from armap.envs.scienceworld.rules import PROTOCOLS, UNKNOWN, Episode, Protocol
from armap.envs.scienceworld.simulator import Reply
from armap.errors import EnvError


def episode(protocol: Protocol, *, turns: int | None = None) -> Episode:
    rules = PROTOCOLS[protocol]
    return Episode(rules, turns=turns, ticks=rules.ticks)


def reply(text: str, score: float = 0.0, *, completed: bool = False, moves: int = 1) -> Reply:
    return Reply(text=text, score=score, completed=completed, moves=moves)


def test_a_wrong_focus_ends_the_episode_and_keeps_what_was_reached() -> None:
    one = episode("eto")
    one.read(reply("a", 0.25))
    one.read(reply("b", -1.0))
    assert (one.over, one.best, one.raw) == (True, 0.25, -1.0)


@pytest.mark.parametrize(("protocol", "limit"), [("armap", 200), ("eto", 200), ("native", 100)])
def test_the_clock_ends_the_episode_when_it_is_past_the_limit(
    protocol: Protocol, limit: int
) -> None:
    one = episode(protocol)
    one.read(reply("a", moves=limit))
    assert not one.over
    one.read(reply("b", moves=limit + 1))
    assert one.over


def test_an_unreadable_action_in_the_three_protocols() -> None:
    ends: dict[Protocol, tuple[bool, float]] = {}
    for protocol in PROTOCOLS:
        one = episode(protocol)
        one.read(reply("a", 0.5))
        one.unreadable()
        assert one.taken == 2
        ends[protocol] = (one.over, one.best)
    assert ends == {"armap": (True, 0.5), "eto": (False, 0.0), "native": (False, 0.5)}


def test_under_eto_the_next_readable_action_restores_the_score_of_the_simulator() -> None:
    one = episode("eto")
    one.read(reply("a", 0.5))
    one.unreadable()
    one.read(reply("b", 0.5))
    assert one.best == 0.5


def test_an_unknown_action_ends_the_episode_for_armap_only() -> None:
    ends = {}
    for protocol in PROTOCOLS:
        one = episode(protocol)
        one.read(reply(UNKNOWN))
        ends[protocol] = one.over
    assert ends == {"armap": True, "eto": False, "native": False}


def test_four_equal_observations_in_a_row_end_the_episode_for_armap_only() -> None:
    texts = ["x", "x", "x", "y", "x", "x", "x", "x"]
    for protocol, expected in (("armap", 8), ("eto", None), ("native", None)):
        one = episode(protocol)
        ended = None
        for number, text in enumerate(texts, start=1):
            one.read(reply(text))
            ended = ended or (number if one.over else None)
        assert ended == expected


def test_the_cap_on_turns_counts_unreadable_actions() -> None:
    one = episode("eto", turns=2)
    one.unreadable()
    assert not one.over
    one.read(reply("a"))
    assert one.over


@given(st.lists(st.floats(-1, 1), min_size=1), st.sampled_from(sorted(PROTOCOLS)))
def test_what_counts_is_the_running_maximum(scores: list[float], protocol: Protocol) -> None:
    one = episode(protocol)
    best = 0.0
    for score in scores:
        one.read(reply("text", score))
        best = max(best, score)
        assert one.best == best
    assert 0.0 <= one.best <= 1.0


def test_the_splits_have_the_published_sizes() -> None:
    sizes = {split: len(list(native(split))) for split in ("train", "dev", "test")}
    assert sizes == {"train": 3592, "dev": 1796, "test": 1819}
    assert len(KINDS) == 30
    assert sum(kind.variations for kind in KINDS) == 7207
    assert [len(listed(split)) for split in ("train", "dev", "test")] == [1483, 194, 211]
    train, dev, test = (set(listed(split)) for split in ("train", "dev", "test"))
    assert len(train & dev) == 54
    assert not test & (train | dev)
    assert dev <= set(native("dev"))
    assert test <= set(native("test"))
    assert len({variation.kind for variation in test}) == 24


def test_every_listed_task_has_a_cap() -> None:
    assert all(variation.kind.turns for split in ("train", "dev") for variation in listed(split))


@pytest.mark.parametrize(
    "name", ["boil", "1-1", "task-1-boil", "task-(boil)".replace("task-", "task-1-")]
)
def test_a_task_has_several_names(name: str) -> None:
    assert find(name, 29).name == "boil/29"


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("boil", 30, "variations 0 to 29, not 30"),
        ("boil", -1, "not -1"),
        ("biol", 0, "did you mean 'boil'?"),
        ("zzzzzzz", 0, "there are boil, melt"),
    ],
)
def test_what_does_not_exist_is_an_error(name: str, number: int, message: str) -> None:
    with pytest.raises(EnvError) as caught:
        find(name, number)
    assert message in str(caught.value)


@given(
    st.lists(st.sampled_from(["reset", "RESET", "task", "the", "a", "An", "now"]), max_size=5),
    st.sampled_from([" ", "  ", "\t"]),
)
def test_starting_over_is_recognised_in_any_wording(words: list[str], blank: str) -> None:
    bare = [word.lower() for word in words if word.lower() not in {"the", "a", "an"}]
    assert resets(blank.join(words)) == (bare == ["reset", "task"])


BLANKS = st.text([chr(code) for code in range(33)], max_size=3)
"""What ``String.trim`` of Java takes away."""


@given(BLANKS, BLANKS.filter(bool), BLANKS)
def test_starting_over_is_recognised_between_any_blanks_of_java(
    before: str, between: str, after: str
) -> None:
    assert resets(f"{before}reset{between}task{after}")


def test_a_jvm_may_hold_its_heap_and_what_is_besides() -> None:
    assert ScienceWorldConfig().heaviest_mb == 400
    assert ScienceWorldConfig(heap_mb=1024).heaviest_mb == 1168
    assert ScienceWorldConfig(heap_mb=1024, memory_mb=500).heaviest_mb == 500
