"""Pairs by contrast: a better policy's episode against worse ones, for the same intent.

For worlds in which what was achieved cannot be read off. That one policy is better than another
is said by whoever configures the run (an expert and a noisy one, a large model and a small one);
the environment's score takes no part. Rivals are the worse policy's episodes, and the better
ones' own actions changed and acted out again: no observation in a pair is made up.

A change may be of no consequence (a glance less). A rival that ends with the very observation
with which the better episode ends is dropped, so that a pair always shows a difference.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from armap.errors import DataError, EnvError
from armap.seeding import derive
from armap.synthesize.changes import CHANGES
from armap.synthesize.execute import act_out
from armap.types import Preference, Provenance, Record, StopReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from armap.protocols import Environment
    from armap.types import Task, Trajectory

__all__ = ["ContrastConfig", "contrast"]


class ContrastConfig(Record):
    """Settings of the contrast strategy."""

    strategy: Literal["contrast"] = "contrast"
    worse: str | None = None
    """Run folder of ``armap collect``: the same tasks by a worse policy."""
    pairs: int = Field(default=2000, gt=0)
    """Stop after so many pairs."""
    collected: int = Field(default=2, ge=0)
    """Rivals per better episode among the worse policy's of the same task."""
    made: int = Field(default=2, ge=0)
    """Rivals per better episode made by changing its actions."""
    foreign: int = Field(default=1, ge=0)
    """Rivals per better episode whose actions are those of another task's."""
    cut: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of pairs whose sides are both cut at the same step, after the first difference: in
    play, episodes are judged that a limit has cut."""
    steps: int = Field(default=40, gt=0)
    """Both sides are cut to so many steps at most; pairs that part later are left out."""


_TRIES = 2
"""A rival that the environment fails at is acted out once more, as if nothing had been."""
_HOPELESS = 5
"""So many failures in a row end the synthesis: the environment is broken."""

_log = logging.getLogger(__name__)


class _Rival(NamedTuple):
    trajectory: Trajectory
    how: str
    source: str


def contrast(
    config: ContrastConfig,
    better: Sequence[Trajectory],
    worse: Sequence[Trajectory],
    make_env: Callable[[], Environment],
    *,
    seed: int,
    learnable: Callable[[Trajectory], bool] = lambda _: True,
) -> Iterator[Preference]:
    """Yield pairs, the same ones for the same input and seed.

    Args:
        config: settings.
        better: episodes of the better policy.
        worse: of the worse one.
        make_env: makes an environment.
        seed: of the drawing.
        learnable: whether an episode is about nothing that is to be measured on; others are on
            neither side.

    Raises:
        DataError: a trajectory is of a test task, or none is learnable: what is to be measured on
            may not be learned from.
        EnvError: the environment failed several times in a row. Less often, it is tried once
            more, and then goes without that rival.
    """
    tested = next((t for t in (*better, *worse) if t.task.split == "test"), None)
    if tested is not None:
        raise DataError(
            f"task {tested.task.name!r} is of the test split and may not become a training pair; "
            "collect on train or dev"
        )
    order = [trajectory for trajectory in better if learnable(trajectory)]
    if better and not order:
        raise DataError(
            f"all {len(better)} trajectories are about things that test or dev tasks are about, "
            "and may not become training pairs; collect on tasks about others"
        )
    Random(derive(seed, "order")).shuffle(order)
    env = make_env()
    try:
        maker = _Maker(config, order, worse, env, learnable)
        count = 0
        for trajectory in (t for t in order if t.steps):
            for pair in maker.pairs(trajectory, Random(derive(seed, trajectory.key))):
                yield pair
                count += 1
                if count >= config.pairs:
                    return
    finally:
        env.close()


class _Maker:
    def __init__(
        self,
        config: ContrastConfig,
        better: Sequence[Trajectory],
        worse: Sequence[Trajectory],
        env: Environment,
        learnable: Callable[[Trajectory], bool],
    ) -> None:
        self._config = config
        self._better = better
        self._env = env
        self._learnable = learnable
        self._failures = 0
        """Of the environment, in a row."""
        self._worse: dict[str, list[Trajectory]] = defaultdict(list)
        for trajectory in worse:
            self._worse[_key(trajectory.task)].append(trajectory)

    def pairs(self, chosen: Trajectory, rng: Random) -> Iterator[Preference]:
        """All pairs that one better episode is the chosen side of."""
        seen: set[tuple[str, ...]] = {chosen.actions}
        for rival in self._rivals(chosen, rng):
            if (
                not rival.trajectory.steps
                or rival.trajectory.actions in seen
                or chosen.final == rival.trajectory.final
            ):
                continue
            seen.add(rival.trajectory.actions)
            if not self._learnable(rival.trajectory):
                continue
            at = self._cut_at(chosen, rival.trajectory, rng)
            if at is None:
                continue
            better, worse = _cut(chosen, at), _cut(rival.trajectory, at)
            if better.final == worse.final:
                continue
            yield Preference(
                task=chosen.task,
                chosen=better,
                rejected=worse,
                provenance=Provenance(
                    strategy="contrast",
                    positive=chosen.policy,
                    rival=rival.how,
                    sources=tuple(dict.fromkeys((chosen.key, rival.source))),
                ),
            )

    def _rivals(self, chosen: Trajectory, rng: Random) -> Iterator[_Rival]:
        peers = [peer for peer in self._worse[_key(chosen.task)] if peer.task == chosen.task]
        for peer in rng.sample(peers, min(len(peers), self._config.collected)):
            yield _Rival(peer, f"worse policy: {peer.policy}", peer.key)
        for _ in range(self._config.made):
            how = rng.choice(sorted(CHANGES))
            actions = CHANGES[how](chosen.actions, rng)
            yield from self._made(chosen.task, actions, how, chosen.key)
        others = [t for t in self._better if _key(t.task) != _key(chosen.task)]
        for other in rng.sample(others, min(len(others), self._config.foreign)):
            yield from self._made(chosen.task, other.actions, "another task's actions", other.key)

    def _cut_at(self, chosen: Trajectory, rejected: Trajectory, rng: Random) -> int | None:
        """After how many steps both sides end; None when they part too late for that."""
        longest = max(len(chosen.steps), len(rejected.steps))
        parted = _parting(chosen, rejected)
        if parted >= self._config.steps:
            return None
        if rng.random() < self._config.cut and parted < len(chosen.steps):
            longest = rng.randint(parted + 1, len(chosen.steps))
        return min(longest, self._config.steps)

    def _made(self, task: Task, actions: Sequence[str], how: str, source: str) -> Iterator[_Rival]:
        """A rival that is acted out; none without actions, or when the world fails at it twice."""
        for _ in range(_TRIES if actions else 0):
            try:
                acted = self._acted(task, actions, how)
            except EnvError as error:
                self._failures += 1
                if self._failures >= _HOPELESS:
                    raise
                _log.warning("a rival for %s (%s): %s", task.name, how, error)
            else:
                self._failures = 0
                yield _Rival(acted, how, source)
                return

    def _acted(self, task: Task, actions: Sequence[str], how: str) -> Trajectory:
        """Act out; an episode that is left open looks as if a limit had cut it, as in play."""
        acted = act_out(self._env, task, actions, author=f"contrast: {how}")
        open_ended = acted.stop is StopReason.QUIT
        return acted.model_copy(update={"stop": StopReason.MAX_STEPS}) if open_ended else acted


def _key(task: Task) -> str:
    return f"{task.split}/{task.name}"


def _parting(chosen: Trajectory, rejected: Trajectory) -> int:
    """How many actions both have in common before they part."""
    pairs = list(zip(chosen.actions, rejected.actions, strict=False))
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(pairs))


def _cut(trajectory: Trajectory, at: int) -> Trajectory:
    """The first ``at`` actions, as a limit would have left them."""
    if at >= len(trajectory.steps):
        return trajectory
    return trajectory.model_copy(
        update={
            "steps": trajectory.steps[:at],
            "final": trajectory.steps[at].observation,
            "stop": StopReason.MAX_STEPS,
        }
    )
