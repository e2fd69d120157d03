"""What every environment promises; subclass it and give ``env`` and ``case``."""

from __future__ import annotations

from armap.protocols import Environment, SnapshotEnvironment
from armap.types import Action, Observation, Task


class EnvironmentContract:
    """Any environment, with a task, some legal actions and an illegal one."""

    task: Task
    legal: tuple[str, ...]
    illegal = "zzz no such thing"

    def make(self) -> Environment:
        raise NotImplementedError

    def play(self, env: Environment, actions: tuple[str, ...]) -> list[Observation]:
        seen = [env.reset(self.task)]
        for text in actions:
            if seen[-1].terminal:
                break
            seen.append(env.step(Action(text=text)))
        return seen

    def test_is_an_environment(self) -> None:
        assert isinstance(self.make(), Environment)

    def test_same_actions_same_observations_in_one_and_in_another_instance(self) -> None:
        env = self.make()
        first = self.play(env, self.legal)
        assert self.play(env, self.legal) == first
        assert self.play(self.make(), self.legal) == first

    def test_an_illegal_action_is_answered_not_raised(self) -> None:
        assert self.play(self.make(), (self.illegal,))[-1].text

    def test_close_twice(self) -> None:
        env = self.make()
        env.close()
        env.close()

    def test_has_no_grade(self) -> None:
        assert not hasattr(self.make(), "outcome")

    def test_snapshots_branch(self) -> None:
        env = self.make()
        if not isinstance(env, SnapshotEnvironment):
            return
        self.play(env, self.legal[:1])
        token = env.snapshot()
        assert hash(token) == hash(env.snapshot())
        after = env.step(Action(text=self.legal[1]))
        other = self.make()
        assert isinstance(other, SnapshotEnvironment)
        other.reset(self.task)
        other.restore(token)
        assert other.snapshot() == token
        assert other.step(Action(text=self.legal[1])) == after
        assert env.snapshot() == other.snapshot() != token
