"""Pairs by hindsight: the intent becomes what was achieved, rivals are what was not.

The recipe of ARMAP section 3.2 (refine the instruction after the fact, change actions for the
negative) without a language model, for environments whose achievements can be read off.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.errors import DataError
from armap.seeding import derive
from armap.synthesize import game24
from armap.synthesize.execute import Executed, execute
from armap.types import Preference, Provenance, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from armap.protocols import Environment
    from armap.synthesize.game24 import Achieved, Draft
    from armap.types import Task, Trajectory

__all__ = ["HindsightConfig", "hindsight"]


class HindsightConfig(Record):
    """Settings of the hindsight strategy."""

    strategy: Literal["hindsight"] = "hindsight"
    pairs: int = Field(default=4000, gt=0)
    """Stop after so many pairs."""
    collected: int = Field(default=2, ge=0)
    """Rivals per positive among the collected episodes of the same numbers."""
    made: int = Field(default=3, ge=0)
    """Rivals per positive made by changing actions and by the slips of policies."""
    variants: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of pairs whose positive is written another way (the answer alone, a slip before)."""
    tight: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of pairs whose turns only just suffice, so that a false last line ends the episode,
    as it does in play; in the others it leaves the episode open."""
    turns: int = Field(default=7, ge=4)
    """Turns of the pairs' episodes, so that rivals may ramble as real models do."""


def hindsight(
    config: HindsightConfig,
    trajectories: Sequence[Trajectory],
    make_env: Callable[[], Environment],
    *,
    seed: int,
) -> Iterator[Preference]:
    """Yield verified pairs, the same ones for the same input and seed.

    Raises:
        DataError: a trajectory is not from the Game of 24, or is of a test task: what is to be
            measured on may not be learned from.
    """
    tested = next((t for t in trajectories if t.task.split == "test"), None)
    if tested is not None:
        raise DataError(
            f"task {tested.task.name!r} is of the test split and may not become a training pair; "
            "collect on train or dev"
        )
    foreign = next((t for t in trajectories if t.task.env != "game24"), None)
    if foreign is not None:
        raise DataError(f"strategy 'hindsight' knows game24 only, not {foreign.task.env!r}")
    maker = _Maker(config, trajectories, make_env)
    order = list(trajectories)
    Random(derive(seed, "order")).shuffle(order)
    count = 0
    for trajectory in order:
        for pair in maker.pairs(trajectory, Random(derive(seed, trajectory.key))):
            yield pair
            count += 1
            if count >= config.pairs:
                return


class _Maker:
    def __init__(
        self,
        config: HindsightConfig,
        trajectories: Sequence[Trajectory],
        make_env: Callable[[], Environment],
    ) -> None:
        self._config = config
        self._make_env = make_env
        self._seen: set[tuple[str, tuple[str, ...], tuple[str, ...]]] = set()
        self._peers: dict[str, list[Trajectory]] = defaultdict(list)
        for trajectory in trajectories:
            self._peers[_numbers(trajectory.task)].append(trajectory)

    def pairs(self, trajectory: Trajectory, rng: Random) -> Iterator[Preference]:
        """All pairs that one episode is the positive of."""
        positive = game24.achieved(trajectory)
        if positive is None:
            return
        task = _with_turns(positive.task, self._config.turns)
        sides = [self._verified(task, positive.draft, wanted=True)]
        sides += [
            self._verified(task, draft, wanted=True) for draft in game24.variants(positive, rng)
        ]
        chosen = [side for side in sides if side is not None]
        if not chosen:
            return
        for draft, source in self._rivals(positive, trajectory, rng):
            rejected = self._verified(task, draft, wanted=False)
            other = chosen[1:] and rng.random() < self._config.variants
            best = rng.choice(chosen[1:]) if other else chosen[0]
            if rejected is not None and self._new(task, best[0], rejected[0]):
                better, worse = self._ended(best[0].trajectory, rejected[0].trajectory, rng)
                yield Preference(
                    task=better.task,
                    chosen=better,
                    rejected=worse,
                    provenance=Provenance(
                        strategy="hindsight",
                        positive=best[1],
                        rival=draft.how,
                        sources=tuple(dict.fromkeys((trajectory.key, source))),
                    ),
                )

    def _rivals(
        self, positive: Achieved, trajectory: Trajectory, rng: Random
    ) -> Iterator[tuple[Draft, str]]:
        """Rival drafts with the key of the episode each comes from."""
        peers = self._peers[_numbers(trajectory.task)]
        for peer in rng.sample(peers, min(len(peers), self._config.collected)):
            yield game24.Draft(peer.actions, "same numbers, another episode"), peer.key
        made = game24.rivals(positive, rng)
        for draft in rng.sample(made, min(len(made), self._config.made)):
            yield draft, trajectory.key

    def _verified(self, task: Task, draft: Draft, *, wanted: bool) -> tuple[Executed, str] | None:
        """Act a draft out; None unless it fulfils the intent exactly when that is wanted."""
        done = execute(self._make_env, task, draft.actions, author=f"hindsight: {draft.how}")
        return (done, draft.how) if game24.fulfils(done.state, task) == wanted else None

    def _ended(
        self, chosen: Trajectory, rejected: Trajectory, rng: Random
    ) -> tuple[Trajectory, Trajectory]:
        """The sides as they are, or with turns that only just suffice.

        With turns to spare a false last line leaves the episode open, and the rendered dialogue
        says so; in play it mostly uses the last turn. A reward model that sees one kind of
        ending only would go by the ending instead of by the deed.
        """
        if rng.random() >= self._config.tight:
            return chosen, rejected
        task = _with_turns(chosen.task, max(len(chosen.steps), len(rejected.steps)))
        better, worse = (
            execute(self._make_env, task, side.actions, author=side.policy).trajectory
            for side in (chosen, rejected)
        )
        return better, worse

    def _new(self, task: Task, chosen: Executed, rejected: Executed) -> bool:
        key = (task.name, chosen.trajectory.actions, rejected.trajectory.actions)
        known = key in self._seen
        self._seen.add(key)
        return not known


def _numbers(task: Task) -> str:
    return str(task.setup.get("numbers"))


def _with_turns(task: Task, turns: int) -> Task:
    return task.model_copy(update={"setup": {**task.setup, "turns": turns}})
