"""The simulator as a thin client: what it is asked and what it answers, in a JVM of its own.

One :class:`Simulator` is one JVM with one live episode. Two episodes in one JVM would disturb
each other: random numbers, counters and settings are global there.

**Determinism.** The simulator keeps objects in sets ordered by Java's identity hash, which
differs from load to load, and with it what burns, what is listed first and what is ambiguous.
With one hash for all objects (``-XX:hashCode=2``) the sets keep the order of insertion, and equal
actions give equal episodes. The counter behind objects' numbers starts anew with each episode, as
it does in a new JVM. Every start proves it: the hash of a fixed trace must come out.

**Listing the valid actions** draws from the simulator's random numbers, so that it would change
the future. :meth:`Simulator.actions` puts the generator back: asking changes nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha1
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.scienceworld.bridge import Bridge
from armap.envs.scienceworld.jvm import Jvm, find_java
from armap.errors import ConfigError, EnvError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from armap.envs.scienceworld.bridge import Value

__all__ = ["Launch", "Reply", "Simulator", "digest"]

DETERMINISTIC = ("-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2")

_CHECK = (
    "look around",
    "teleport to art studio",
    "look around",
    "teleport to outside",
    "look around",
    "wait1",
    "teleport to kitchen",
    "open cupboard",
    "look around",
)
_CHECK_DIGEST = "af36045b6b2f7dbc"


_JAR = "scienceworld/scienceworld.jar"


class Reply(NamedTuple):
    """What one action brought about."""

    text: str
    score: float
    """The simulator's own score, in [-1, 1]. Ground truth: kept from what learns or plans."""
    completed: bool
    """Whether the simulator holds the task for done."""
    moves: int
    """Its clock: ticks since the start."""


class Launch(NamedTuple):
    """How a simulator is started."""

    java: str = ""
    """The program; empty for the one of ``JAVA_HOME`` or of the path."""
    heap_mb: int = 256
    deterministic: bool = True
    start_timeout: float = 120.0
    """Seconds until the JVM must answer."""
    timeout: float = 120.0
    """Seconds that one answer may take."""


class Simulator:
    """The simulator. It has a process at once, and plays after :meth:`start`.

    Not thread-safe, but for :meth:`close`.

    Raises:
        ConfigError: Java or the package ``scienceworld`` is missing.
        EnvError: the system starts no process.
    """

    def __init__(self, launch: Launch) -> None:
        jars = _jars()
        self._launch = launch
        self._bridge: Bridge
        self._jvm = Jvm(find_java(launch.java), jars, flags=_flags(launch))

    def start(self) -> None:
        """Wait until it answers and is proven deterministic.

        Raises:
            EnvError: the JVM does not start, is closed meanwhile, or is not deterministic
                although that was asked for.
        """
        launch = self._launch
        try:
            port, token = self._jvm.greeting(launch.start_timeout)
        except BaseException:
            self.close()
            raise
        with self._watched():
            self._bridge = Bridge(port, token, timeout=launch.timeout)
            self._hush()
            self._game = self._bridge.create("scienceworld.runtime.pythonapi.PythonInterface")
            self._counter = self._bridge.member("util.UniqueIdentifier$", "MODULE$")
            scala = self._bridge.member("scala.util.Random$", "MODULE$")
            self._random = self._bridge.borrow(scala, "self")
            if launch.deterministic:
                self._prove()

    @property
    def alive(self) -> bool:
        """Whether the JVM runs and is ours."""
        return self._jvm.alive

    @property
    def memory_mb(self) -> float | None:
        """Resident memory of the JVM in MiB; None where the system does not tell."""
        return self._jvm.memory_mb

    @property
    def pid(self) -> int:
        """Process id of the JVM."""
        return self._jvm.pid

    def load(self, task: str, variation: int, simplification: str, *, gold: bool = False) -> None:
        """Start an episode.

        Args:
            task: the simulator's name of it.
            variation: from 0.
            simplification: names with commas between, e.g. ``easy``.
            gold: also search for a solution, which takes seconds; see :meth:`gold`.

        Raises:
            EnvError: the simulator knows no such episode, or failed.
        """
        with self._watched():
            self._bridge.call(self._counter, "reset")
            self._bridge.call(self._game, "load", task, variation, simplification, gold)
        told = self.description()
        if told.startswith("ERROR"):
            raise EnvError(f"scienceworld: {told}")

    def description(self) -> str:
        """What the episode asks for, in the simulator's words."""
        return self._text("freeActionTaskDesc")

    def look(self) -> str:
        """What is to be seen; costs no time and changes nothing."""
        return self._text("freeActionLook")

    def step(self, text: str) -> Reply:
        """Act.

        Raises:
            EnvError: the simulator failed, died or hangs.
        """
        return Reply(
            text=self._text("step", text),
            score=float(str(self._call("getScore"))),
            completed=self._call("getCompleted") is True,
            moves=int(str(self._call("getNumMoves"))),
        )

    def actions(self) -> tuple[str, ...]:
        """All that can be done now, in the simulator's order. Changes nothing (see above)."""
        with self._watched():
            state = self._random_state()
            found = self._bridge.strings(self._game, "getValidActionObjectCombinations")
            self._bridge.call(self._random, "setSeed", state ^ _SCRAMBLE)
        return found

    def gold(self) -> tuple[str, ...]:
        """The solution that was found at :meth:`load`; knows more than any agent may."""
        with self._watched():
            return self._bridge.strings(self._game, "getGoldActionSequence")

    def close(self) -> None:
        """End the JVM. Idempotent; another thread that waits for an answer gets an error."""
        self._jvm.end()
        bridge = getattr(self, "_bridge", None)  # not there before it could be opened
        if bridge is not None:
            bridge.abandon()

    def _hush(self) -> None:
        """Discard what the simulator prints, inside the JVM; it prints a lot at every step.

        Has to come before Scala takes hold of the standard output.
        """
        nowhere = self._bridge.call("java.io.OutputStream", "nullOutputStream")
        self._bridge.call(
            "java.lang.System", "setOut", self._bridge.create("java.io.PrintStream", nowhere)
        )

    def _prove(self) -> None:
        self.load("chemistry-mix-paint-tertiary-color", 32, "easy")
        found = digest(self.step(text) for text in _CHECK)
        if found != _CHECK_DIGEST:
            raise EnvError(
                "this Java does not run the simulator deterministically (a fixed trace came out as "
                f"{found}, not {_CHECK_DIGEST}); use a HotSpot JVM of version 11 or newer "
                "(OpenJDK), or accept episodes that cannot be repeated with "
                "env.deterministic: false"
            )

    def _random_state(self) -> int:
        """The 48 bits behind the simulator's random numbers, read out of their serialization."""
        bridge = self._bridge
        stored = bridge.create("java.io.ByteArrayOutputStream")
        writer = bridge.create("java.io.ObjectOutputStream", stored)
        bridge.call(writer, "writeObject", self._random)
        bridge.call(writer, "flush")
        content = bridge.call(stored, "toByteArray")
        bridge.forget(stored, writer)
        assert isinstance(content, bytes)
        return int.from_bytes(content[-9:-1], "big")

    def _text(self, method: str, *arguments: Value) -> str:
        return str(self._call(method, *arguments))

    def _call(self, method: str, *arguments: Value) -> Value:
        with self._watched():
            return self._bridge.call(self._game, method, *arguments)

    @contextmanager
    def _watched(self) -> Generator[None, None, None]:
        """Tell what is known of the JVM when it fails, and end it: its state is unknown then."""
        try:
            yield
        except EnvError as error:
            how = self._jvm.epitaph()
            self.close()
            raise EnvError(f"{error} ({how})") from error
        except BaseException:  # Ctrl-C: the answer to come would be taken for the next one's
            self.close()
            raise


_SCRAMBLE = 0x5DEECE66D
"""``java.util.Random.setSeed`` keeps its argument combined with this by exclusive or."""


def digest(replies: Iterable[Reply]) -> str:
    """Sixteen hex digits over observations and scores, in order."""
    told = "\n".join(f"{reply.text}|{round(reply.score, 6)}" for reply in replies)
    return sha1(told.encode(), usedforsecurity=False).hexdigest()[:16]


def _flags(launch: Launch) -> list[str]:
    flags = [f"-Xmx{launch.heap_mb}m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
    return [*(DETERMINISTIC if launch.deterministic else ()), *flags]


def _jars() -> list[Path]:
    """py4j's server and the simulator.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        package = distribution("scienceworld")
        from py4j.java_gateway import find_jar_path
    except ImportError as error:
        raise ConfigError(
            "env.kind scienceworld needs the simulator: pip install 'armap[scienceworld]'"
        ) from error
    return [Path(find_jar_path()), Path(str(package.locate_file(_JAR)))]
