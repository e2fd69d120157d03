"""The records that travel through the pipeline.

Every record is frozen, forbids unknown fields and round-trips through JSON. A record never
holds a live object (client, process, tensor) and never holds the environment's own score:
ground truth lives in :mod:`armap.oracle`.

Letters in shapes: ``N`` trajectories, ``K`` candidates per task, ``T`` steps, ``L`` tokens.
"""

from armap.types.calls import Completions, Message, Sampling, TokenLogprob, Usage
from armap.types.episodes import (
    Action,
    Failure,
    Limits,
    Observation,
    Proposal,
    Situation,
    Split,
    Step,
    StopReason,
    Task,
    Trajectory,
)
from armap.types.pairs import Preference, Provenance
from armap.types.plans import Candidate, Plan, Score, TreeNode
from armap.types.record import Record

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
