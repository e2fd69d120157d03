"""ScienceWorld as an environment: one instance, one JVM, at most one live episode.

What the agent sees are the simulator's words. The score stays behind: it ends the episode when
it falls below zero, as in the simulator's official wrapper, and is told to nobody but
:mod:`armap.envs.scienceworld.graded`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from armap.envs.scienceworld.catalogue import Variation, find
from armap.envs.scienceworld.keeper import Keeper
from armap.envs.scienceworld.rules import PROTOCOLS, UNREADABLE, Episode, Protocol
from armap.envs.scienceworld.simulator import Launch
from armap.errors import EnvError
from armap.types import Observation, Record

if TYPE_CHECKING:
    from armap.envs.scienceworld.simulator import Simulator
    from armap.types import Action, Task

__all__ = ["ScienceWorld", "ScienceWorldConfig", "World", "keeper_of", "read_setup"]

_SIMPLIFICATIONS = (
    "easy",
    "noElectricalAction",
    "openContainers",
    "openDoors",
    "selfWateringFlowerPots",
    "teleportAction",
)


_BESIDES_HEAP_MB = 144


class ScienceWorldConfig(Record):
    """Settings of ScienceWorld."""

    kind: Literal["scienceworld"] = "scienceworld"
    protocol: Protocol = "armap"
    """Task lists, caps, and what a bad action does: see ``envs/README.md``."""
    simplification: str = "easy"
    """What the simulator makes easier, with commas between; empty for nothing. ``easy``: doors
    are open, teleporting, flower pots that water themselves, no wires unless the task is about
    them."""
    actions: Literal["free", "listed"] = "free"
    """``listed``: every observation comes with all valid actions (some 800; 35 ms a step)."""
    turns: int | None = Field(default=None, gt=0)
    """The agent's turns per episode; None for the protocol's cap, which depends on the task.
    ``task.setup["turns"]`` overrides both."""
    ticks: int | None = Field(default=None, gt=0)
    """The simulator's ticks per episode (waiting takes several); None for the protocol's cap."""
    deterministic: bool = True
    """False: run on a Java that cannot repeat episodes; plans and grades may then fail."""
    jvms: int = Field(default=4, ge=1)
    """At most so many simulators at once, 350 MB each, and so many whole episodes in flight."""
    java: str = ""
    """The Java program; empty for the one of ``JAVA_HOME`` or of the path."""
    heap_mb: int = Field(default=256, ge=32)
    """Bound on a simulator's heap in MiB; 192 works, at half the speed where it is tight."""
    memory_mb: int | None = Field(default=None, gt=0)
    """A simulator that holds more than this is replaced before its next episode; None for
    ``heap_mb`` + 144, which is what a JVM holds besides its heap: 400 MB."""
    episodes: int = Field(default=500, gt=0)
    """A simulator is replaced after so many."""
    start_timeout: float = Field(default=120.0, gt=0)
    """Seconds until a simulator must have started."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one step may take."""

    @property
    def heaviest_mb(self) -> int:
        """The memory that a simulator may hold and be kept."""
        return self.memory_mb if self.memory_mb is not None else self.heap_mb + _BESIDES_HEAP_MB

    @field_validator("simplification")
    @classmethod
    def _known(cls, value: str) -> str:
        unknown = [name for name in value.split(",") if name and name not in _SIMPLIFICATIONS]
        if unknown:
            raise ValueError(
                f"no simplification {unknown[0]!r}; there are {', '.join(_SIMPLIFICATIONS)}"
            )
        return value


class World:
    """An episode with everything that is known about it, the score included.

    Agents, planners and synthesis are handed a :class:`ScienceWorld`, which does not pass the
    score on.
    """

    def __init__(self, config: ScienceWorldConfig) -> None:
        self._config = config
        self._keeper = keeper_of(config)
        self._playing: Simulator | None = None
        self.episode: Episode | None = None
        """The score and what the protocol made of it; None before ``reset``."""
        self.steps_taken = 0
        """Actions that the simulator was given so far, those of replays included."""

    def reset(self, task: Task) -> Observation:
        """Start ``task`` afresh.

        Raises:
            ConfigError: Java or the simulator is missing.
            EnvError: the task is not one of ScienceWorld's, or the simulator failed.
        """
        variation, turns = read_setup(task)
        self._check(variation)
        rules = PROTOCOLS[self._config.protocol]
        cap = variation.kind.turns if rules.eto else None
        self._playing = self.episode = None
        simulator = self._keeper.load(variation, self._config.simplification)
        text = simulator.look()
        self._playing = simulator
        self.episode = Episode(
            rules, turns=turns or self._config.turns or cap, ticks=self._config.ticks or rules.ticks
        )
        return self._observation(text)

    def step(self, action: Action) -> Observation:
        """Act; see :meth:`ScienceWorld.step`."""
        simulator, episode = self._live()
        if not action.text.strip():
            episode.unreadable()
            return self._observation(UNREADABLE)
        self.steps_taken += 1
        text = _REFUSED if resets(action.text) else action.text
        try:
            reply = simulator.step(text)
        except EnvError:
            self._playing = None
            raise
        episode.read(reply)
        return self._observation(reply.text)

    def close(self) -> None:
        """End the JVM. Idempotent."""
        self._playing = self.episode = None
        self._keeper.close()

    @property
    def pid(self) -> int | None:
        """Process id of the JVM; None while none runs."""
        simulator = self._keeper.simulator
        return simulator.pid if simulator is not None else None

    @property
    def memory_mb(self) -> float | None:
        """Resident memory of the JVM in MiB; None while none runs or nobody tells."""
        simulator = self._keeper.simulator
        return simulator.memory_mb if simulator is not None else None

    def _observation(self, text: str) -> Observation:
        simulator, episode = self._live()
        choices: tuple[str, ...] = ()
        if self._config.actions == "listed" and not episode.over:
            choices = tuple(name for name in simulator.actions() if not resets(name))
        return Observation(text=text, choices=choices, terminal=episode.over)

    def _live(self) -> tuple[Simulator, Episode]:
        if self._playing is None or self.episode is None:
            raise EnvError("scienceworld: step() without a living episode; reset() first")
        return self._playing, self.episode

    def _check(self, variation: Variation) -> None:
        wireless = "noElectricalAction" in self._config.simplification
        if wireless and variation.kind.electrical:
            raise EnvError(
                f"{variation.name} is about electricity: env.simplification must not hold "
                "noElectricalAction"
            )


class ScienceWorld:
    """One task at a time in a JVM of its own, which the first ``reset`` starts. It never grades.

    Args:
        config: the settings.
    """

    blocking = True

    def __init__(self, config: ScienceWorldConfig) -> None:
        self.capacity = config.jvms
        self.__world = World(config)

    @property
    def steps_taken(self) -> int:
        """Actions that the simulator was given so far, those of replays included."""
        return self.__world.steps_taken

    @property
    def pid(self) -> int | None:
        """Process id of the JVM; None while none runs."""
        return self.__world.pid

    @property
    def memory_mb(self) -> float | None:
        """Resident memory of the JVM in MiB; None while none runs or nobody tells."""
        return self.__world.memory_mb

    def reset(self, task: Task) -> Observation:
        """Start ``task`` afresh and look around.

        Raises:
            ConfigError: Java or the simulator is missing.
            EnvError: the task is not one of ScienceWorld's, or the simulator failed.
        """
        return self.__world.reset(task)

    def step(self, action: Action) -> Observation:
        """Act. An action without text stands for a reply that held none.

        ``reset task``, which would wipe out what was achieved, is not available: it is answered
        like any text that means nothing.

        Raises:
            EnvError: the simulator died or hangs; the next ``reset`` starts another.
        """
        return self.__world.step(action)

    def close(self) -> None:
        """End the JVM. Idempotent; a ``reset`` would start another."""
        self.__world.close()


def keeper_of(config: ScienceWorldConfig) -> Keeper:
    """What starts and replaces the JVM of ``config``."""
    launch = Launch(
        java=config.java,
        heap_mb=config.heap_mb,
        deterministic=config.deterministic,
        start_timeout=config.start_timeout,
        timeout=config.timeout,
    )
    return Keeper(launch, episodes=config.episodes, memory_mb=config.heaviest_mb)


def read_setup(task: Task) -> tuple[Variation, int | None]:
    """The variation that a task names, and its own cap on turns.

    Raises:
        EnvError: it names none.
    """
    name, number = task.setup.get("task"), task.setup.get("variation")
    turns = task.setup.get("turns")
    if task.env != "scienceworld" or not isinstance(name, str):
        raise EnvError(f"task {task.name!r} of {task.env!r} has no setup.task for scienceworld")
    if not isinstance(number, int) or isinstance(number, bool):
        raise EnvError(
            f"task {task.name!r}: setup.variation must be a whole number, not {number!r}"
        )
    if turns is not None and (not isinstance(turns, int) or isinstance(turns, bool) or turns < 1):
        raise EnvError(f"task {task.name!r}: setup.turns must be a positive integer, not {turns!r}")
    return find(name, number), turns


_ARTICLES = {"a", "an", "the"}
_BLANKS = dict.fromkeys(range(ord(" ")), " ")
_REFUSED = "reset"
"""A text that the simulator does not know, in any state."""


def resets(text: str) -> bool:
    r"""Whether the simulator would read ``text`` as its command to start over.

    It reads without regard to case, blanks and articles. A blank is, as for ``String.trim`` of
    Java, every character up to U+0020.

    >>> resets(" Reset  the TASK\0"), resets("reset the clock")
    (True, False)
    """
    words = text.lower().translate(_BLANKS).split()
    return [word for word in words if word not in _ARTICLES] == ["reset", "task"]
