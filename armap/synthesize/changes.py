"""How a good episode's actions could have gone wrong: for worlds of commands about objects.

A command is a verb and an object, or two objects with a word between (``pour jug in bowl``).
Nothing here knows a solution or a world: the changed actions are acted out, and the world's
answers show what the change was worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

__all__ = ["CHANGES"]

Actions = tuple[str, ...]


def _left_out(actions: Sequence[str], rng: Random) -> Actions:
    """One action is forgotten."""
    at = rng.randrange(len(actions))
    return (*actions[:at], *actions[at + 1 :])


def _swapped(actions: Sequence[str], rng: Random) -> Actions:
    """Two actions in the wrong order, near each other."""
    if len(actions) < 2:
        return ()
    at = rng.randrange(len(actions) - 1)
    other = min(at + rng.randint(1, 3), len(actions) - 1)
    changed = list(actions)
    changed[at], changed[other] = changed[other], changed[at]
    return tuple(changed)


def _other_object(actions: Sequence[str], rng: Random) -> Actions:
    """The right verb, applied to what another action is about."""
    at = rng.randrange(len(actions))
    verb, thing = _parts(actions[at])
    others = sorted({_parts(text)[1] for text in actions} - {thing, ""})
    if not thing or not others:
        return _left_out(actions, rng)
    return (*actions[:at], f"{verb} {rng.choice(others)}", *actions[at + 1 :])


def _committed_early(actions: Sequence[str], rng: Random) -> Actions:
    """The last commitment is made before its time, or to something else."""
    things = sorted({_parts(text)[1] for text in actions} - {""})
    focuses = [text for text in actions if text.startswith("focus on ")]
    if not things or not focuses:
        return _swapped(actions, rng)
    early = rng.choice((focuses[-1], f"focus on {rng.choice(things)}"))
    at = rng.randrange(len(actions))
    return (*actions[:at], early, *actions[at:])


def _cut_short(actions: Sequence[str], rng: Random) -> Actions:
    """The end is missing."""
    return tuple(actions[: rng.randrange(1, len(actions))]) if len(actions) > 1 else ()


CHANGES: Mapping[str, Callable[[Sequence[str], Random], Actions]] = {
    "action left out": _left_out,
    "actions swapped": _swapped,
    "another object": _other_object,
    "committed early": _committed_early,
    "cut short": _cut_short,
}
"""Changed actions by kind of change; the input holds at least one action.

Of a single action some leave none; of more, at least one is left.
"""

_PARTICLES = {"on", "to", "in", "up", "at"}


def _parts(text: str) -> tuple[str, str]:
    """Verb and object of a command.

    >>> _parts("focus on red box"), _parts("open fridge"), _parts("wait")
    (('focus on', 'red box'), ('open', 'fridge'), ('wait', ''))
    """
    words = text.split(" ")
    verbs = 2 if len(words) > 2 and words[1] in _PARTICLES else 1
    return " ".join(words[:verbs]), " ".join(words[verbs:])
