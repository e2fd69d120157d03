"""Settings of the tree search, and the two that reproduce ARMAP's."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from armap.planners.presets import filled
from armap.planners.reflection import Author
from armap.planners.search import Rules
from armap.planners.search.rules import Flight, Rule, Unvisited, Value, Widening
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRESETS", "MCTSConfig", "Preset"]

Preset = Literal["default", "paper", "repo"]

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "default": {},
        # ARMAP section 4.1 and appendix A.3. The formula, its constant and the order of equals
        # are not in the paper: UCB1 with constant 1 on values in [0, 1].
        "paper": {"rule": "uct", "widening": "none", "depth": 10},
        # The released code (its seven bugs aside, see the README of the planners).
        "repo": {
            "rule": "released",
            "exploration": 6.36396,
            "discount": 0.9,
            "unvisited": "zero",
            "widening": "none",
            "depth": 10,
            "values": "raw",
        },
    }
)
"""What a preset sets; what the configuration says itself goes before."""


class MCTSConfig(Record):
    """Settings of :class:`MCTS`."""

    kind: Literal["mcts"] = "mcts"
    preset: Preset = "default"
    """``paper`` and ``repo`` set what ARMAP's text and its released code say."""
    trajectories: int = Field(default=10, gt=0)
    """Budget: distinct finished trajectories. ARMAP: 10, and 100 on the Game of 24."""
    width: int = Field(default=10, gt=0)
    """Actions proposed per node at a time, duplicates included."""
    depth: int | None = Field(default=None, gt=0)
    """Actions below which nothing is expanded; None for ``limits.max_steps``."""
    rule: Rule = "puct"
    """``puct``: the policy's sample frequencies are priors. ``uct``: UCB1. ``released``: the
    formula of ARMAP's code."""
    exploration: float = Field(default=1.0, ge=0.0)
    """Constant of the rule, in units of the calibrated score (0 to 1)."""
    value: Value = "max"
    """What a node is worth: the best return below it (ARMAP), or the mean."""
    values: Literal["calibrated", "raw"] = "calibrated"
    """Which score of the reward model is backed up."""
    discount: float = Field(default=1.0, gt=0.0, le=1.0)
    """Factor per action between a node and the end of the trajectory."""
    unvisited: Unvisited = "parent"
    """What an unvisited node is worth: its parent's mean, or nothing."""
    widening: Widening = "resample"
    """When a node is asked for more actions. ``resample``: when as many simulations as proposals
    have gone through it. ``progressive``: ``factor * visits ** power`` of its actions are open,
    and more are asked for when all are. ``none``: never."""
    widening_factor: float = Field(default=1.0, gt=0.0)
    widening_power: float = Field(default=0.5, gt=0.0, le=1.0)
    merge: bool = False
    """Equal states at equal depths are one node. Needs an environment with snapshots. The policy
    is then asked there once, with the history by which the state was first reached."""
    parallelism: int = Field(default=1, gt=0)
    """LLM calls in flight within one tree."""
    window: int | None = Field(default=None, gt=0)
    """How many tickets may be drawn before the oldest is answered; None for twice
    ``parallelism`` (1 when that is 1), or for ``parallelism`` in an environment that bounds its
    instances, since every ticket may want one. More bears slower stragglers and knows less at
    each choice. The plan depends on it, and never on timing."""
    flight: Flight = "wu_uct"
    """How tickets in flight repel others: in the counts alone (WU-UCT, which loses less; see
    ``benchmarks/results/search.md``), or as lost visits."""
    virtual_loss: float = Field(default=1.0, ge=0.0)
    """Lost visits that each stands for."""
    reflect: Author | None = None
    """LATS: trajectories that score below ``reflect_below`` leave a note for later tickets: a
    list of what they did (``attempt``) or what the language model says of them (``llm``)."""
    reflect_below: float = Field(default=0.5, ge=0.0, le=1.0)
    """Calibrated score."""
    notes: int = Field(default=3, gt=0)
    """Reflections that a ticket is told, the latest of those it may know."""
    patience: int = Field(default=20, gt=0)
    """Stop after so many simulations in a row that found nothing new."""

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, content: Any) -> Any:
        return filled(content, PRESETS)

    def rules(self, *, max_steps: int, unit: bool, few: bool = False) -> Rules:
        """The settings as the search's own.

        Args:
            max_steps: of an episode.
            unit: values are in [0, 1], so that they need not be scaled.
            few: the environment bounds its instances.
        """
        ahead = self.parallelism if few or self.parallelism == 1 else 2 * self.parallelism
        return Rules(
            trajectories=self.trajectories,
            depth=min(self.depth or max_steps, max_steps),
            rule=self.rule,
            exploration=self.exploration,
            value=self.value,
            discount=self.discount,
            unvisited=self.unvisited,
            widening=self.widening,
            widening_factor=self.widening_factor,
            widening_power=self.widening_power,
            flight=self.flight,
            virtual_loss=self.virtual_loss,
            window=max(self.window or ahead, self.parallelism),
            patience=self.patience,
            scale="unit" if unit or self.values == "raw" else "seen",
        )
