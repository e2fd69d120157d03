"""Any environment of armap behind the API of Gymnasium (``pip install 'armap[gym]'``).

The step reward is 0.0, always: the score of an environment is ground truth, and what planners
are handed has none. Whoever wants it as a reward, for evaluation or for reinforcement learning,
says so with :func:`armap.envs.graded.make_graded_gym`.
"""

from __future__ import annotations

from operator import index
from string import printable
from typing import TYPE_CHECKING, Any, SupportsIndex

from pydantic import TypeAdapter, ValidationError

from armap.envs import EnvConfig, TaskSelection, make_env, select_tasks
from armap.errors import ConfigError
from armap.types import Action

try:
    import gymnasium
    from gymnasium.error import ResetNeeded
    from gymnasium.spaces import Text
except ImportError as error:
    raise ConfigError(
        f"armap.envs.gym needs Gymnasium: pip install 'armap[gym]' ({error})"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.envs import AnyEnvConfig
    from armap.protocols import Environment
    from armap.types import Observation, Task

__all__ = ["IDS", "AnyText", "TextEnv", "make_gym", "read_config", "register"]

IDS = {
    "game24": "armap/Game24-v0",
    "scienceworld": "armap/ScienceWorld-v0",
    "webshop": "armap/WebShop-v0",
}
"""Environment kinds by their names in Gymnasium's registry, after :func:`register`."""
_MOST_STEPS = 10
"""Steps after which a registered environment is truncated, as ``armap.types.Limits`` has it;
ScienceWorld ends its episodes itself, by its protocol."""
_ENDLESS: dict[str, dict[str, Any]] = {"webshop": {"max_steps": None}}
"""Settings that leave the limit to Gymnasium, which tells a limit from an end."""


class AnyText(Text):
    """Strings of up to ``max_length`` characters, whichever they are.

    Gymnasium's own text space lists the characters that it contains; an environment may say
    anything. Samples are of printable ASCII.

    >>> "naïve ›" in AnyText(10), "naïve ›" in AnyText(3)
    (True, False)
    """

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0, charset=printable)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


class TextEnv(gymnasium.Env[str, str]):
    """Text in, text out.

    The observation after ``reset`` begins with the instruction; ``info`` holds the ``task``'s
    name, its ``instruction``, the admissible ``choices`` where the environment lists them, and
    references of ``images``. Nothing is truncated here: wrap it in Gymnasium's ``TimeLimit``.

    Args:
        env: the world.
        tasks: what ``reset`` draws from, uniformly and by its ``seed``; or choose by
            ``reset(options={"task": NAME_OR_INDEX})``.
        grade: the score of the running episode, in [0, 1]. The reward of a step is what it
            adds to that score, so that an episode's return is its score, finished or cut short.
            Without it every reward is 0.0.
        render_mode: ``"ansi"`` for ``render()`` to return the last turn as text, or None.
        max_length: characters of the longest observation.

    Raises:
        ConfigError: there are no tasks, or the render mode is unknown.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(
        self,
        env: Environment,
        tasks: Sequence[Task],
        *,
        grade: Callable[[], float] | None = None,
        render_mode: str | None = None,
        max_length: int = 2**20,
    ) -> None:
        if not tasks:
            raise ConfigError("a Gymnasium environment needs at least one task")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode {render_mode!r} is not one of ansi, None")
        self.render_mode = render_mode
        self.observation_space = AnyText(max_length)
        self.action_space = AnyText(2**10)
        self._env = env
        self._tasks = tuple(tasks)
        self._grade = grade
        self._task: Task | None = None
        self._score = 0.0
        self._shown = ""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start the task that ``options["task"]`` names, else a random one.

        Raises:
            ConfigError: there is no such task.
        """
        super().reset(seed=seed)
        task = self._choose((options or {}).get("task"))
        observation = self._env.reset(task)
        self._task, self._score = task, self._graded()
        self._shown = f"{task.instruction}\n{observation.text}"
        return self._shown, self._info(task, observation)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Act; an illegal action is answered in words.

        Raises:
            gymnasium.error.ResetNeeded: no episode is running.
        """
        task = self._task
        if task is None:
            raise ResetNeeded("call reset() first: no episode is running")
        observation = self._env.step(Action(text=action))
        before, self._score = self._score, self._graded()
        if observation.terminal:
            self._task = None
        self._shown = f"> {action}\n{observation.text}"
        reward = self._score - before
        return observation.text, reward, observation.terminal, False, self._info(task, observation)

    def render(self) -> str | None:
        """The last action and its answer, in mode ``ansi``."""
        return self._shown if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Free what the world holds."""
        self._env.close()

    def _graded(self) -> float:
        return 0.0 if self._grade is None else self._grade()

    def _choose(self, wanted: Any) -> Task:
        if wanted is None:
            return self._tasks[int(self.np_random.integers(len(self._tasks)))]
        if isinstance(wanted, SupportsIndex) and 0 <= index(wanted) < len(self._tasks):
            return self._tasks[index(wanted)]
        for task in self._tasks:
            if task.name == wanted:
                return task
        raise ConfigError(
            f"no task {wanted!r}: give a name, e.g. {self._tasks[0].name!r}, "
            f"or an index below {len(self._tasks)}"
        )

    def _info(self, task: Task, observation: Observation) -> dict[str, Any]:
        return {
            "task": task.name,
            "instruction": task.instruction,
            "choices": observation.choices,
            "images": observation.images,
        }


def make_gym(
    config: AnyEnvConfig | None = None,
    tasks: TaskSelection | None = None,
    *,
    render_mode: str | None = None,
    **settings: Any,
) -> TextEnv:
    """The environment of ``config`` (or of ``settings``: ``kind=...``), without its grade.

    Raises:
        ConfigError: an unknown setting, or no tasks.

    >>> env = make_gym(kind="game24")
    >>> observation, info = env.reset(options={"task": 0})
    >>> info["task"], observation.splitlines()[-1]
    ('5 8 9 12', 'Left: 5 8 9 12')
    """
    config = config or read_config(settings)
    chosen = select_tasks(config, tasks or TaskSelection())
    return TextEnv(make_env(config), chosen, render_mode=render_mode)


def read_config(settings: dict[str, Any]) -> AnyEnvConfig:
    """The configuration that ``settings`` describe, as the ``env`` of a run file would.

    Raises:
        ConfigError: they describe none.
    """
    adapter: TypeAdapter[AnyEnvConfig] = TypeAdapter(EnvConfig)
    try:
        return adapter.validate_python(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "kind"
        raise ConfigError(f"env: {where}: {first['msg']}") from error


def register() -> None:
    """Make ``gymnasium.make("armap/Game24-v0")`` and the like known. Idempotent.

    Settings of the environment go through ``gymnasium.make`` as keywords, and so do
    ``tasks`` and ``max_episode_steps``.
    """
    for kind, name in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=f"{__name__}:{make_gym.__name__}",
                max_episode_steps=None if kind == "scienceworld" else _MOST_STEPS,
                kwargs={"kind": kind, **_ENDLESS.get(kind, {})},
            )
