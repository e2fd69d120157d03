"""What happens in an environment."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, JsonValue

from armap.errors import revive
from armap.types.calls import Usage
from armap.types.record import Record

if TYPE_CHECKING:
    from armap.errors import BoundaryError

__all__ = [
    "Action",
    "Failure",
    "Limits",
    "Observation",
    "Proposal",
    "Situation",
    "Split",
    "Step",
    "StopReason",
    "Task",
    "Trajectory",
]


Split = Literal["train", "dev", "test"]


class Task(Record):
    """One thing to do in one environment. Equal tasks and actions give equal observations."""

    env: str
    """Environment kind, e.g. ``"game24"``."""
    name: str
    """Identifier, unique within ``env`` and ``split``."""
    split: Split
    instruction: str
    """What the agent is told to achieve (the papers' *intent*)."""
    setup: dict[str, JsonValue] = Field(default_factory=dict)
    """All that starts the episode: level, variation, goal, the environment's own seed."""


class Observation(Record):
    """What the agent sees after ``reset`` or ``step``."""

    text: str
    choices: tuple[str, ...] = ()
    """Admissible actions, when the environment lists them."""
    images: tuple[str, ...] = ()
    """References of images that belong to the text: paths relative to the run folder, or short
    texts of which the environment makes the image on demand (``webshop:item/...``)."""
    terminal: bool = False
    """True when the episode is over; says nothing about success."""


class Action(Record):
    """What the agent does."""

    text: str
    """The command sent to the environment."""
    thought: str = ""
    """Reasoning that preceded the command; never sent to the environment."""


class StopReason(StrEnum):
    """Why an episode ended."""

    TERMINAL = "terminal"
    """The environment said so."""
    MAX_STEPS = "max_steps"
    """The step limit was reached (truncation, not termination)."""
    UNPARSABLE = "unparsable"
    """The policy's reply contained no action."""
    BUDGET = "budget"
    """A cap of the run's budget was reached; see ``Trajectory.failure``."""
    QUIT = "quit"
    """The policy stopped acting (imported episodes that simply end)."""
    FAILED = "failed"
    """A boundary failed; see ``Trajectory.failure``."""


class Failure(Record):
    """A boundary error, as data."""

    kind: str
    """Name of the error's class in :mod:`armap.errors`."""
    message: str

    @classmethod
    def of(cls, error: BoundaryError) -> Self:
        """The record of an error."""
        return cls(kind=type(error).__name__, message=str(error))

    def error(self) -> BoundaryError:
        """The error of a record."""
        return revive(self.kind, self.message)


class Limits(Record):
    """Bounds on one episode."""

    max_steps: int = Field(default=10, gt=0)
    step_seconds: float | None = Field(default=300.0, gt=0.0)
    """Deadline of one step of an environment that blocks (a process, a socket); None for none."""


class Step(Record):
    """One turn: what was seen, then what was done."""

    observation: Observation
    action: Action


class Situation(Record):
    """What a policy may look at when it chooses."""

    task: Task
    steps: tuple[Step, ...] = ()
    observation: Observation
    notes: tuple[str, ...] = ()
    """Advice from earlier attempts (Reflexion)."""


class Proposal(Record):
    """A policy's answer: ``[k]`` actions, ``None`` where a reply held none, and the cost."""

    actions: tuple[Action | None, ...]
    usage: Usage


class Trajectory(Record):
    """One episode, complete and self-describing. It has no reward field, on purpose."""

    version: Literal[1] = 1
    task: Task
    steps: tuple[Step, ...]
    final: Observation
    """The observation after the last action."""
    stop: StopReason
    failure: Failure | None = None
    policy: str
    """Name of the policy that acted."""
    seed: int
    """Sampling seed of the policy."""
    notes: tuple[str, ...] = ()
    """Notes the policy was given (Reflexion)."""
    usage: Usage = Usage()
    """LLM calls spent on this episode; steps that were replayed cost nothing."""

    @property
    def actions(self) -> tuple[str, ...]:
        """The commands, in order: what tells two candidates for one task apart."""
        return tuple(step.action.text for step in self.steps)

    @property
    def whole(self) -> bool:
        """Whether the episode ended by itself, neither by a failure nor by the budget."""
        return self.stop not in (StopReason.FAILED, StopReason.BUDGET)

    @property
    def key(self) -> str:
        """Content hash; equal episodes have equal keys on every machine."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]
