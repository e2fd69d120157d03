"""A chat model that shops: it reads the prompt as any model would and answers in ReAct style.

It knows no goal, no catalogue and no score. Its skills are numbers; at temperature 0 its
mistakes depend on the prompt alone, at others on the seed too.
"""

from __future__ import annotations

import asyncio
from math import exp
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from armap.llms.shopper.reading import Group, Scene, overlap, read
from armap.seeding import derive
from armap.storefront import words
from armap.types import Completions, Record, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.types import Message, Sampling

__all__ = ["Shopper", "ShopperConfig"]

_BUY, _BACK, _FEATURES = "click[buy now]", "click[< prev]", "click[features]"
_PATIENCE = 7
"""Actions after which it buys what it looks at."""


class ShopperConfig(Record):
    """An offline WebShop player; each skill is between 0 (careless) and 1 (perfect)."""

    kind: Literal["shopper"] = "shopper"
    query: float = Field(default=0.75, ge=0.0, le=1.0)
    """Chance that a telling word of the wish gets into the search."""
    matching: float = Field(default=0.45, ge=0.0, le=1.0)
    """How clearly it prefers results whose titles have the wish's words."""
    options: float = Field(default=0.65, ge=0.0, le=1.0)
    """Chance that an option that was asked for is chosen, not another one or none."""
    price: float = Field(default=0.5, ge=0.0, le=1.0)
    """Chance that it minds the price bound, in results and before it buys."""
    reading: float = Field(default=0.15, ge=0.0, le=1.0)
    """Chance that it reads the features before it buys."""
    slips: float = Field(default=0.03, ge=0.0, le=1.0)
    """Chance that an action is one that the page does not have."""


class _Reply(NamedTuple):
    thought: str
    action: str


class Shopper:
    r"""Searches with words of the wish, opens a likely result, chooses options, buys.

    >>> import asyncio
    >>> from armap.types import Message, Sampling
    >>> page = "WebShop [SEP] Instruction: [SEP] i need a red lamp [SEP] Search"
    >>> prompt = [Message(role="user", content=f"{page}\nAvailable actions:\n- search[...]")]
    >>> sharp = Shopper(ShopperConfig(query=1.0, slips=0.0))
    >>> print(asyncio.run(sharp.complete(prompt, Sampling(temperature=0.0))).texts[0])
    Thought: I look for what was asked.
    Action: search[red lamp]
    """

    def __init__(self, config: ShopperConfig | None = None) -> None:
        self._config = config or ShopperConfig()
        skills = self._config.model_dump(exclude={"kind"}).values()
        self.name = "shopper/" + "-".join(f"{skill:g}" for skill in skills)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Answer ``sampling.n`` times; equal seeds and prompts give equal replies."""
        await asyncio.sleep(0)  # others may go on, and it can be cancelled
        scene = read(messages)
        texts = []
        for index in range(sampling.start, sampling.start + sampling.n):
            own = ("seed", sampling.seed, index) if sampling.temperature else ("greedy",)
            rng = Random(derive(0, *own, *(message.content for message in messages)))
            reply = _Turn(self._config, scene, rng, sampling.temperature).reply()
            texts.append(f"Thought: {reply.thought}\nAction: {reply.action}")
        usage = Usage(
            calls=1,
            prompt_tokens=sum(len(message.content.split()) for message in messages),
            completion_tokens=sum(len(text.split()) for text in texts),
        )
        return Completions(texts=tuple(texts), usage=usage)

    async def close(self) -> None:
        """Nothing to free."""


class _Turn:
    """One decision."""

    def __init__(
        self, config: ShopperConfig, scene: Scene, rng: Random, temperature: float
    ) -> None:
        self._skill = config
        self._scene = scene
        self._rng = rng
        self._temperature = temperature

    def reply(self) -> _Reply:
        scene = self._scene
        if self._luck(self._skill.slips):
            return _Reply("I click it right here.", self._slip())
        if "search[...]" in scene.actions:
            return self._search()
        if scene.offers:
            return self._open()
        if _BUY in scene.actions:
            return self._item()
        back = _BACK if _BACK in scene.actions else "click[back to search]"
        return _Reply("There is no more to see here.", back)

    def _search(self) -> _Reply:
        terms = self._scene.wish.terms
        kept = [term for term in terms if self._luck(self._skill.query)] or list(terms[:3])
        return _Reply("I look for what was asked.", f"search[{' '.join(kept[:20])}]")

    def _open(self) -> _Reply:
        scene = self._scene
        fresh = [offer for offer in scene.offers if offer.code not in scene.tried]
        offers = fresh or list(scene.offers)
        minds = scene.wish.bound is not None and self._luck(self._skill.price)
        scores = []
        for offer in offers:
            title = set(words(offer.title))
            hits = sum(term in title for term in scene.wish.terms)
            dear = minds and offer.price > (scene.wish.bound or 0.0)
            scores.append(hits - (4.0 if dear else 0.0))
        more = "click[next >]"
        if more in scene.actions and max(scores) < 2 and self._luck(0.5) and len(scene.done) < 3:
            return _Reply("None of these will do, I turn the page.", more)
        chosen = offers[self._drawn(scores)]
        return _Reply(f"{_short(chosen.title)} may be it.", f"click[{chosen.code}]")

    def _item(self) -> _Reply:
        scene = self._scene
        visit = scene.visit
        hurried = len(scene.done) >= _PATIENCE
        for group in () if hurried else _open_groups(scene.groups, visit):
            value = self._option(group)
            if value is not None:
                return _Reply(f"I take {value} for the {group.name}.", f"click[{value}]")
        if not hurried and _FEATURES in scene.actions and self._reads(visit):
            return _Reply("I want to know more about it.", _FEATURES)
        bound, price = scene.wish.bound, scene.price
        dear = bound is not None and price is not None and price > bound
        left = len(scene.tried) > 1
        if dear and not hurried and not left and self._luck(self._skill.price):
            return _Reply("That costs too much.", _BACK)
        return _Reply("This is what I want.", _BUY)

    def _reads(self, visit: Sequence[str]) -> bool:
        return _FEATURES not in visit and self._luck(self._skill.reading)

    def _option(self, group: Group) -> str | None:
        """The value to choose, None to leave the group alone."""
        fits = [overlap(value, self._scene.wish.terms) for value in group.values]
        best = max(range(len(fits)), key=lambda n: (fits[n], len(group.values[n])))
        asked = fits[best] >= 0.6
        if asked and self._luck(self._skill.options):
            return group.values[best]
        if self._luck(0.5 if asked else 0.15):
            return self._rng.choice(group.values)
        return None

    def _drawn(self, scores: Sequence[float]) -> int:
        """Softmax with the skill's sharpness; at temperature 0 its argmax."""
        if not self._temperature:
            return max(range(len(scores)), key=lambda n: scores[n])
        sharp = 3.0 * self._skill.matching / self._temperature
        weights = [exp(sharp * (score - max(scores))) for score in scores]
        return self._rng.choices(range(len(scores)), weights=weights)[0]

    def _slip(self) -> str:
        return self._rng.choice(("click[search]", "click[more]", "click[add to cart]", "buy"))

    def _luck(self, chance: float) -> bool:
        return self._rng.random() < chance


def _open_groups(groups: Sequence[Group], visit: Sequence[str]) -> Sequence[Group]:
    """The groups behind the last one of which a value was chosen."""
    last = -1
    for place, group in enumerate(groups):
        if any(f"click[{value}]" in visit for value in group.values):
            last = place
    return () if _FEATURES in visit else groups[last + 1 :]


def _short(title: str) -> str:
    return " ".join(title.split()[:6])
