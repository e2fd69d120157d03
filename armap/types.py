"""The records that travel through the pipeline.

Every record is frozen, forbids unknown fields and round-trips through JSON. A record never
holds a live object (client, process, tensor) and never holds the environment's own score:
ground truth lives in :mod:`armap.oracle`.

Letters used in shapes across the package: ``N`` trajectories, ``K`` candidates per task,
``T`` steps, ``L`` tokens.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from armap.errors import revive

if TYPE_CHECKING:
    from armap.errors import BoundaryError

__all__ = [
    "Action",
    "Candidate",
    "Completions",
    "Failure",
    "Limits",
    "Message",
    "Observation",
    "Plan",
    "Preference",
    "Proposal",
    "Provenance",
    "Record",
    "Sampling",
    "Score",
    "Situation",
    "Split",
    "Step",
    "StopReason",
    "Task",
    "TokenLogprob",
    "Trajectory",
    "TreeNode",
    "Usage",
]

Split = Literal["train", "dev", "test"]


class Record(BaseModel):
    """Base of everything that is stored, sent or configured."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


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


class Message(Record):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()
    """Paths of image files, or ``data:`` URLs; they come before the text."""


class Usage(Record):
    """What LLM calls cost: requests, tokens as the backend counts them, and dollars.

    >>> Usage(calls=1, prompt_tokens=10) + Usage(calls=1, completion_tokens=2)
    Usage(calls=2, prompt_tokens=10, cached_tokens=0, completion_tokens=2, dollars=0.0)
    """

    calls: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    """Those of the prompt tokens that the server had read before (its prefix cache)."""
    completion_tokens: int = Field(default=0, ge=0)
    dollars: float = Field(default=0.0, ge=0.0)
    """By the prices of the configuration; 0 where it names none."""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cached_share(self) -> float:
        """Share of the prompt tokens that were in the server's prefix cache, in [0, 1]."""
        read = max(self.prompt_tokens, self.cached_tokens)
        return self.cached_tokens / read if read else 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            dollars=self.dollars + other.dollars,
        )


class Sampling(Record):
    """How a chat model should sample.

    Messages and these fields define an endless row of samples, of which one request takes
    ``start`` to ``start + n - 1``. With a deterministic model a sample depends on its place in
    that row only: never on what else is in flight, nor on how many are drawn together.
    """

    temperature: float = Field(default=0.0, ge=0.0)
    """0 means greedy decoding."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=64, gt=0)
    stop: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)
    n: int = Field(default=1, ge=1)
    """How many replies to draw in this one request."""
    start: int = Field(default=0, ge=0)
    """Ordinal of the first of them."""
    logprobs: int | None = Field(default=None, ge=0, le=20)
    """Return log-probabilities of the tokens drawn, with so many alternatives each."""
    json_schema: dict[str, JsonValue] | None = None
    """Constrain the reply to JSON of this schema, where the backend can."""

    @property
    def ordinals(self) -> range:
        """The places of the samples in their row.

        >>> Sampling(start=2, n=3).ordinals
        range(2, 5)
        """
        return range(self.start, self.start + self.n)

    def parts(self, most: int) -> list[Self]:
        """The same samples in requests for at most ``most`` each.

        >>> [part.ordinals for part in Sampling(start=2, n=3).parts(2)]
        [range(2, 4), range(4, 5)]
        """
        if self.n <= most:
            return [self]
        return [
            self.model_copy(update={"start": at, "n": min(most, self.ordinals.stop - at)})
            for at in self.ordinals[::most]
        ]


class TokenLogprob(Record):
    """One token of a reply."""

    token: str
    logprob: float
    """Natural logarithm of its probability, before temperature."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place with their log-probabilities, best first."""


class Completions(Record):
    """The replies to one request: ``[sampling.n]`` texts and what they cost together."""

    texts: tuple[str, ...]
    usage: Usage
    finish: tuple[str, ...] = ()
    """Why each reply ended, in the backend's words: ``stop``, ``length``; empty if unknown."""
    logprobs: tuple[tuple[TokenLogprob, ...], ...] = ()
    """``[n][L]`` when ``sampling.logprobs`` asked for them, else empty."""
    retried: tuple[str, ...] = Field(default=(), exclude=True)
    """Kinds of the failed tries before this reply; for the journal, which keeps them apart."""


class Observation(Record):
    """What the agent sees after ``reset`` or ``step``."""

    text: str
    choices: tuple[str, ...] = ()
    """Admissible actions, when the environment lists them."""
    images: tuple[str, ...] = ()
    """References (paths relative to the run folder) of images that belong to the text."""
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


class Provenance(Record):
    """How a preference came to be, so that every pair can be audited and ablated."""

    strategy: str
    """E.g. ``"hindsight"``."""
    positive: str
    """How the chosen side was made, e.g. ``"policy"`` or ``"policy, answer completed"``."""
    rival: str
    """How the rejected side was made, e.g. ``"wrong arithmetic"``."""
    sources: tuple[str, ...] = ()
    """Keys of the collected trajectories both sides come from."""
    ground_truth: bool = False
    """True when the environment's own score took part (never, unless a strategy says so)."""


class Preference(Record):
    """A training pair: under ``task.instruction``, ``chosen`` should outscore ``rejected``.

    Both trajectories carry the pair's (refined) intent as their own task.
    """

    version: Literal[1] = 1
    task: Task
    chosen: Trajectory
    rejected: Trajectory
    provenance: Provenance

    @model_validator(mode="after")
    def _one_task(self) -> Preference:
        if not self.task == self.chosen.task == self.rejected.task:
            raise ValueError("both sides of a preference must carry the preference's own task")
        return self


class Score(Record):
    """What a reward model says of one trajectory."""

    raw: float = Field(allow_inf_nan=False)
    """The model's own logit, unbounded; comparable within one task and one model."""
    calibrated: float = Field(ge=0.0, le=1.0)
    """``raw`` on the model's held-out scale: 0.5 lies half way between its positives and
    negatives, so thresholds and exploration constants carry over between models."""


class Candidate(Record):
    """A trajectory a planner considered, with its score when the planner asks for scores."""

    trajectory: Trajectory
    score: Score | None = None


class TreeNode(Record):
    """One node of a finished search tree, as evidence."""

    parent: int | None
    """Index of the parent in ``Plan.tree``; None for the root."""
    action: str
    prior: float
    visits: int
    value: float | None
    """Best calibrated score backed up through this node; None when never visited."""


class Plan(Record):
    """A planner's answer together with its evidence."""

    version: Literal[1] = 1
    task: Task
    planner: str
    candidates: tuple[Candidate, ...]
    """All ``K`` candidates in the order in which they were produced."""
    chosen: int | None
    """Index of the answer; None when no candidate could be produced."""
    usage: Usage
    """Every LLM call of this plan, those of abandoned branches included."""
    tree: tuple[TreeNode, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What failed on the way: each cost one branch. Planning again tries them again."""
    remark: str = ""
    """What a reader should know, e.g. "search space exhausted after 7 trajectories"."""

    @model_validator(mode="after")
    def _chosen_exists(self) -> Plan:
        if self.chosen is not None and not 0 <= self.chosen < len(self.candidates):
            raise ValueError(
                f"chosen={self.chosen} is not one of {len(self.candidates)} candidates"
            )
        return self

    @property
    def answer(self) -> Trajectory | None:
        """The chosen trajectory."""
        return None if self.chosen is None else self.candidates[self.chosen].trajectory
