"""Pairs by hindsight for WebShop (ARMAP section 3.2, without a language model).

A purchase of a training episode becomes the wish that it fulfils: the words for its type,
attributes that the pages told, the options chosen, a price bound. Rivals change an action
(another option, none, another result, other words, a dearer product, no purchase) or are other
episodes for the same task; each is acted out anew, so that every observation is true, and is
kept only if it misses a part of the wish. Two rivals make a pair as well, when one misses all
that the other misses and more: that teaches the order among purchases none of which is perfect.

Neither side is told by its length: both may read pages or click twice.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from armap.envs.webshop.purchase import Purchase, product_page, purchase
from armap.errors import DataError
from armap.seeding import derive
from armap.synthesize.execute import execute
from armap.synthesize.webshop.intents import intent
from armap.synthesize.webshop.walks import Walk, dressed, offers_on, walk_of
from armap.synthesize.webshop.wishes import Wish, attributes_of, bound_above, misses, type_of
from armap.types import Preference, Provenance, Record, Task, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from armap.protocols import Environment

__all__ = ["WebShopHindsightConfig", "webshop_hindsight"]


class WebShopHindsightConfig(Record):
    """Settings of the strategy."""

    strategy: Literal["webshop_hindsight"] = "webshop_hindsight"
    pairs: int = Field(default=8000, gt=0)
    """Stop after so many pairs."""
    wishes: int = Field(default=3, gt=0)
    """Wishes per purchase; each has attributes, options and words of its own."""
    made: int = Field(default=2, ge=0)
    """Rivals per wish that are made by changing an action."""
    collected: int = Field(default=1, ge=0)
    """Rivals per wish among the other episodes for the same task."""
    completed: float = Field(default=0.6, ge=0.0, le=1.0)
    """Share of wishes whose purchase gets options that the policy left alone."""
    reading: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of either side's trips that read the product's pages."""


class _Draft(NamedTuple):
    actions: tuple[str, ...]
    how: str
    source: str


class _Side(NamedTuple):
    trajectory: Trajectory
    how: str
    source: str
    missed: frozenset[str]


def webshop_hindsight(
    config: WebShopHindsightConfig,
    trajectories: Sequence[Trajectory],
    make_env: Callable[[], Environment],
    *,
    seed: int,
    reserved: frozenset[str] = frozenset(),
) -> Iterator[Preference]:
    """Yield verified pairs, the same ones for the same input and seed.

    Args:
        config: settings.
        trajectories: episodes for training tasks.
        make_env: makes an environment with snapshots.
        seed: of the drawing.
        reserved: asins in lower case that no pair may be about: what will be measured on.

    Raises:
        DataError: a trajectory is not from WebShop, or not of a training task.
    """
    for trajectory in trajectories:
        _check(trajectory.task)
    peers: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        peers[trajectory.task.name].append(trajectory)
    searches = sorted({a for t in trajectories for a in t.actions if a.startswith("search[")})
    order = list(trajectories)
    Random(derive(seed, "order")).shuffle(order)
    count = 0
    for turn in range(config.wishes):
        for trajectory in order:
            rng = Random(derive(seed, turn, trajectory.key))
            maker = _Maker(config, make_env, rng, reserved, searches)
            for pair in maker.pairs(trajectory, peers[trajectory.task.name], turn):
                yield pair
                count += 1
                if count >= config.pairs:
                    return


def _check(task: Task) -> None:
    if task.env != "webshop":
        raise DataError(f"strategy 'webshop_hindsight' knows webshop only, not {task.env!r}")
    if task.split != "train":
        raise DataError(
            f"task {task.name!r} is of the {task.split} split and may not become a training pair; "
            "collect with tasks.split: train"
        )


class _Maker:
    """Makes the pairs of one purchase and one wish."""

    def __init__(
        self,
        config: WebShopHindsightConfig,
        make_env: Callable[[], Environment],
        rng: Random,
        reserved: frozenset[str],
        searches: Sequence[str],
    ) -> None:
        self._config = config
        self._make_env = make_env
        self._rng = rng
        self._reserved = reserved
        self._searches = searches

    def pairs(
        self, trajectory: Trajectory, peers: Sequence[Trajectory], turn: int
    ) -> Iterator[Preference]:
        """A purchase over its rivals, and rivals over worse ones."""
        bought = purchase(trajectory)
        if bought is None or not bought.bought or bought.code in self._reserved:
            return
        walk = walk_of(trajectory, bought)
        if walk is None:
            return
        walk, how = self._completed(walk, bought)
        told = purchase(self._acted(trajectory.task, walk.actions, "probe"))
        if told is None or not told.bought or told.options != walk.options:
            return
        rivals = list(self._rivals(walk, told, trajectory, peers))
        wish = self._wish(told, rivals)
        task = self._task(trajectory.task, bought.code, wish, turn)
        best = self._side(task, _Draft(walk.actions, how, trajectory.key), wish)
        if best is not None and not best.missed:
            worse = [self._side(task, draft, wish) for draft in rivals]
            yield from _ordered(task, best, [side for side in worse if side is not None])

    def _completed(self, walk: Walk, bought: Purchase) -> tuple[Walk, str]:
        """The trip with options that were left alone, and with pages read."""
        options = dict(walk.options)
        how = "policy"
        if self._rng.random() < self._config.completed:
            for group, values in bought.groups.items():
                if group not in options and self._rng.random() < 0.7:
                    options[group] = self._rng.choice(values)
                    how = "policy, options completed"
        ordered = {group: options[group] for group in bought.groups if group in options}
        return replace(walk, options=ordered, detours=self._detours()), how

    def _rivals(
        self,
        walk: Walk,
        bought: Purchase,
        trajectory: Trajectory,
        peers: Sequence[Trajectory],
    ) -> Iterator[_Draft]:
        others = [peer for peer in peers if peer.key != trajectory.key]
        for peer in self._rng.sample(others, min(len(others), self._config.collected)):
            yield _Draft(peer.actions, "same task, another episode", peer.key)
        kinds = ["another result", "another result", "dearer result", "other words", "no purchase"]
        weights = [2, 2, 2, 1, 0.4]
        if walk.options:
            kinds += ["another option", "option left out"]
            weights += [5, 5]
        for kind in self._rng.choices(kinds, weights, k=self._config.made):
            other = self._changed(kind, walk, bought, trajectory.task)
            if other is not None:
                yield _Draft(other.actions, kind, trajectory.key)

    def _changed(self, kind: str, walk: Walk, bought: Purchase, task: Task) -> Walk | None:
        rng = self._rng
        walk = replace(walk, detours=self._detours(), again=int(rng.random() < 0.2))
        if kind == "no purchase":
            return replace(walk, buys=False)
        if kind == "option left out":
            gone = rng.sample(sorted(walk.options), rng.randint(1, len(walk.options)))
            kept = {group: v for group, v in walk.options.items() if group not in gone}
            return replace(walk, options=kept, again=int(rng.random() < 0.6))
        if kind == "another option":
            group = rng.choice(sorted(walk.options))
            values = [v for v in bought.groups[group] if v != walk.options[group]]
            changed = {group: rng.choice(values)} if values else {}
            return replace(walk, options={**walk.options, **changed}) if changed else None
        return self._another_product(kind, walk, bought, task)

    def _another_product(self, kind: str, walk: Walk, bought: Purchase, task: Task) -> Walk | None:
        rng = self._rng
        if kind == "other words":
            walk = replace(walk, search=rng.choice(self._searches), turns=())
            walk = replace(walk, offers=offers_on(self._acted(task, (walk.search,), "probe").final))
        offers = [o for o in walk.offers if o.code not in {walk.code, *self._reserved}]
        if kind == "dearer result":
            offers = [o for o in offers if o.price // 10 > bought.dearest // 10]
        if not offers:
            return None
        walk = replace(walk, code=rng.choice(offers).code)
        page = product_page(self._acted(task, walk.opening, "probe").final)
        return None if page is None else replace(walk, options=dressed(page, walk, rng))

    def _wish(self, bought: Purchase, rivals: Sequence[_Draft]) -> Wish:
        """Part of what the purchase shows, as people name only part of what they get."""
        rng = self._rng
        known = attributes_of(bought)
        count = rng.choice((0, 1, 1, 2, 2, 3))
        options = [pair for pair in bought.options.items() if rng.random() < 0.9]
        dear = any(draft.how == "dearer result" for draft in rivals)
        bound = bound_above(bought.dearest, rng)
        if dear:
            bound = 10.0 * (int(bought.dearest // 10) + 1)
        return Wish(
            type=type_of(bought.title, rng),
            attributes=tuple(rng.sample(known, min(len(known), count))),
            options=tuple(options),
            bound=bound if dear or rng.random() < 0.9 else None,
        )

    def _task(self, task: Task, code: str, wish: Wish, turn: int) -> Task:
        """The task of a pair: no goal of the environment's, only the intent."""
        setup = {key: value for key, value in task.setup.items() if key != "goal"}
        return task.model_copy(
            update={
                "name": f"{task.name}-{code}-{turn}",
                "instruction": intent(wish, self._rng),
                "setup": {**setup, "product": code},
            }
        )

    def _side(self, task: Task, draft: _Draft, wish: Wish) -> _Side | None:
        trajectory = self._acted(task, draft.actions, draft.how)
        bought = purchase(trajectory)
        if bought is not None and bought.bought and bought.code in self._reserved:
            return None
        return _Side(trajectory, draft.how, draft.source, misses(wish, bought))

    def _acted(self, task: Task, actions: Sequence[str], how: str) -> Trajectory:
        author = f"webshop_hindsight: {how}"
        return execute(self._make_env, task, actions, author=author).trajectory

    def _detours(self) -> tuple[str, ...]:
        if self._rng.random() >= self._config.reading:
            return ()
        return self._rng.choice((("features",), ("features",), ("description",)))


def _ordered(task: Task, best: _Side, others: Sequence[_Side]) -> Iterator[Preference]:
    """The purchase over what misses something, that over what misses the same and more."""
    for worse in others:
        for better in (best, *others):
            if better.missed < worse.missed:
                yield _pair(task, better, worse)


def _pair(task: Task, better: _Side, worse: _Side) -> Preference:
    return Preference(
        task=task,
        chosen=better.trajectory,
        rejected=worse.trajectory,
        provenance=Provenance(
            strategy="webshop_hindsight",
            positive=better.how,
            rival=worse.how,
            sources=tuple(dict.fromkeys((better.source, worse.source))),
        ),
    )
