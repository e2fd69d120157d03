"""A world of somebody else's: the door at the end of a corridor, by ``kind: import``."""

from __future__ import annotations

from armap.oracle import Outcome
from armap.types import Action, Observation, Split, Task


class Corridor:
    """Walk ``left`` or ``right``; the door is at the right end."""

    def __init__(self, length: int = 3, *, blocking: bool = False) -> None:
        self.length = length
        self.blocking = blocking
        self.place = 0

    @staticmethod
    def tasks(split: Split) -> list[Task]:
        names = ("a", "b", "c")
        return [
            Task(env="corridor", name=name, split=split, instruction="Reach the door.")
            for name in names
        ]

    def reset(self, task: Task) -> Observation:
        self.place = 0
        return self.observe()

    def step(self, action: Action) -> Observation:
        shift = {"left": -1, "right": 1}.get(action.text, 0)
        self.place = max(0, self.place + shift)
        return self.observe()

    def close(self) -> None:
        self.place = 0

    def outcome(self) -> Outcome:
        return Outcome(score=self.place / self.length, success=self.place == self.length)

    def observe(self) -> Observation:
        text = f"You stand at {self.place} of {self.length}."
        return Observation(text=text, terminal=self.place == self.length)
