"""One episode, played a turn at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from armap.calls import session_scope
from armap.errors import BoundaryError, BudgetSpent, EnvError, ModelError, boundary
from armap.seeding import derive
from armap.types import Failure, Observation, Situation, Step, StopReason, Trajectory, Usage

if TYPE_CHECKING:
    from armap.protocols import Policy
    from armap.rollout.live import Live, Point
    from armap.rollout.pool import Pool
    from armap.types import Action, Limits, Proposal, Task

__all__ = ["Episode", "Opening", "propose"]


async def propose(policy: Policy, situation: Situation, *, k: int, seed: int) -> Proposal:
    """Ask the policy for ``k`` actions.

    Raises:
        ModelError: it could not answer.
    """
    with boundary(ModelError, f"asking {policy.name}"):
        return await policy.propose(situation, k=k, seed=seed)


class Opening(NamedTuple):
    """A first action that was drawn together with others."""

    observation: Observation
    """What was seen when it was drawn."""
    action: Action | None
    """None when the reply held none."""
    usage: Usage
    """The request's cost with the first of those that it drew, nothing with the others."""


@dataclass(slots=True, eq=False)
class Episode:
    """An episode in the making. Whatever goes wrong ends it and is part of its record.

    Args:
        policy: proposes the actions.
        limits: bounds on it.
        pool: where the environment comes from.
        task: what to do.
        seed: of the policy.
        at: where it stands, whenever it holds no instance; None at the very beginning.
        notes: what the policy is told.
        opening: the first action, if it is drawn already.
    """

    policy: Policy
    limits: Limits
    pool: Pool
    task: Task
    seed: int
    at: Point | None = None
    notes: tuple[str, ...] = ()
    opening: Opening | None = None
    _steps: list[Step] = field(init=False)
    _final: Observation = field(init=False)
    _live: Live | None = field(default=None, init=False)
    """The instance between turns, where it need not be shared."""
    _stop: StopReason | None = field(default=None, init=False)
    _failure: Failure | None = field(default=None, init=False)
    _usage: Usage = field(default=Usage(), init=False)

    def __post_init__(self) -> None:
        self._steps = [] if self.at is None else list(self.at.steps)
        self._final = Observation(text="") if self.at is None else self.at.observation

    async def turn(self) -> bool:
        """Take one action; True when the episode is over, which it may be before the first."""
        try:
            with session_scope(self.task, self.seed):
                await self._turn()
        except BoundaryError as error:
            self.cut_short(error)
        if self._stop is None and not self._ended():
            return False
        self.leave()
        return True

    def cut_short(self, error: BoundaryError) -> None:
        """End it with a failure."""
        self._stop = StopReason.BUDGET if isinstance(error, BudgetSpent) else StopReason.FAILED
        self._failure = Failure.of(error)

    def leave(self) -> None:
        """Let go of the environment. Idempotent; for episodes that are not played to the end."""
        live, self._live = self._live, None
        if live is not None:
            self.pool.give_back(live, over=True)
        self.pool.quit(self)

    def record(self) -> Trajectory:
        """The episode as far as it went."""
        return Trajectory(
            task=self.task,
            steps=tuple(self._steps),
            final=self._final,
            stop=self._stop or StopReason.QUIT,
            failure=self._failure,
            policy=self.policy.name,
            seed=self.seed,
            notes=self.notes,
            usage=self._usage,
        )

    async def _turn(self) -> None:
        if self.at is None and self._live is None:
            await self._begin()
        if self._ended():
            return
        action = await self._act()
        if action is None:
            self._stop = StopReason.UNPARSABLE
            return
        step = Step(observation=self._final, action=action)
        self._final = await self._take(action)
        self._steps.append(step)

    async def _begin(self) -> None:
        """Look at the task; hold the instance between turns where there is no lack of them."""
        live = await self.pool.begin(self.task)
        self._final = live.seen
        if self.pool.capacity is None:
            self._live = live
        else:
            self.at = await self.pool.leave(live, over=self._ended(), player=self)

    async def _take(self, action: Action) -> Observation:
        """Act, with the instance that is held or else from the point where it stands."""
        pool, at = self.pool, self.at
        if self._live is None:
            assert at is not None
            if pool.capacity is not None or at.known(action) is not None:
                last = len(self._steps) + 1 >= self.limits.max_steps
                self.at = await pool.go(self.task, at, action, last=last, player=self)
                return self.at.observation
            self._live = await pool.reach(self.task, at)
        live, self._live = self._live, None  # lost when the step fails
        seen = await pool.step(live, action)
        self._live = live
        return seen

    def _ended(self) -> bool:
        if self._final.terminal:
            self._stop = StopReason.TERMINAL
        elif len(self._steps) >= self.limits.max_steps:
            self._stop = StopReason.MAX_STEPS
        return self._stop is not None

    async def _act(self) -> Action | None:
        if self.opening is not None and not self._steps:
            return self._opened(self.opening)
        situation = Situation(
            task=self.task,
            steps=tuple(self._steps),
            observation=self._final,
            notes=self.notes,
        )
        own = derive(self.seed, len(self._steps))
        proposal = await propose(self.policy, situation, k=1, seed=own)
        self._usage += proposal.usage
        return proposal.actions[0]

    def _opened(self, opening: Opening) -> Action | None:
        if self._final != opening.observation:
            raise EnvError(
                f"{self.task.env}/{self.task.name} begins with {self._final.text[:80]!r} now "
                f"and began with {opening.observation.text[:80]!r} before"
            )
        self._usage += opening.usage
        return opening.action
