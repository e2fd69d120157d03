"""One Java process: started, watched, ended; never left behind.

It ends with this process, however that ends. The JVM reads its standard input and exits when
that does, which the kernel brings about even after ``kill -9``; where ``setpriv`` exists (Linux)
the kernel also kills it with its parent. A forked child lets go of what it inherited. The JVM
is in a session of its own: Ctrl-C in a terminal reaches Python, which ends the JVM.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from armap.environment import program
from armap.errors import ConfigError, EnvError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Jvm", "find_java"]

_Process = subprocess.Popen[str]
_Order = tuple[list[str], Future[_Process]]


def find_java(java: str = "") -> str:
    """The Java to run: ``java``, or else that of ``JAVA_HOME``, or else the one on the path.

    Raises:
        ConfigError: there is none.
    """
    found = shutil.which(java) if java else program("java", home="JAVA_HOME")
    if found is None:
        missing = f"env.java: {java!r} is no program" if java else "there is no Java here"
        raise ConfigError(
            f"{missing}; ScienceWorld runs on Java 11 or newer: install one "
            "(Debian, Ubuntu: apt install default-jre-headless), or set env.java to its path"
        )
    return found


class Jvm:
    """A gateway server of py4j, on a port of its own choice. It has a process at once.

    Args:
        java: the program.
        jars: what it loads.
        flags: of the JVM.

    Raises:
        EnvError: the system starts no process.
    """

    def __init__(self, java: str, jars: Sequence[Path], *, flags: Sequence[str]) -> None:
        command = [java, *flags, "-cp", os.pathsep.join(map(str, jars))]
        command += ["py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0"]
        self._owner = os.getpid()
        self._process = _LAUNCHER.launch(command)
        self.end = weakref.finalize(self, _end, self._process, self._owner)
        """Kill it and wait for it; idempotent, and done at exit if nobody else does."""
        self._output = _Output(self._process)
        _FORKS.watch(self)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs and is ours: a forked child does not own its parent's."""
        return self._owner == os.getpid() and self._process.poll() is None

    @property
    def memory_mb(self) -> float | None:
        """Resident memory in MiB; None where the system does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def epitaph(self) -> str:
        """How it ended and what it said last, as far as can be told."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.poll()
        if code is None:
            return "Java is still running"
        said = self._output.ended()
        if "OutOfMemoryError" in said:
            return "Java ran out of memory; raise env.heap_mb"
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return f"Java {how}" + (f": {said[-400:]}" if said else "")

    def leave_to_parent(self) -> None:
        """In a forked child: close the inherited pipe, so that the parent's end is the end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    os.close(pipe.fileno())

    def greeting(self, timeout: float) -> tuple[int, str]:
        """The port and the shared secret, which the server prints first. Waits for them, once.

        Args:
            timeout: seconds that the start may take.

        Raises:
            EnvError: it did not start, or was ended meanwhile; says what Java said.
        """
        try:
            port = self._output.next(timeout)
            while not port.isdecimal():  # warnings may come before
                port = self._output.next(timeout)
            token = self._output.next(timeout)
        except Empty:
            why = f"the simulator did not start within {timeout:g} s; raise env.start_timeout"
        except EOFError:
            why = f"the simulator did not start: {self.epitaph()}"
        else:
            self._output.forget()  # no error is to quote the secret
            return int(port), token
        raise EnvError(why)


class _Output:
    """What a process prints. It is all read, by a thread: a full pipe would stop the process."""

    def __init__(self, process: _Process) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._tail: deque[str] = deque(maxlen=20)
        self._reader = threading.Thread(
            target=self._read, args=(process,), name="armap-jvm-output", daemon=True
        )
        self._reader.start()

    def next(self, timeout: float) -> str:
        """One of the first lines.

        Raises:
            Empty: not within ``timeout`` seconds.
            EOFError: there are no more.
        """
        line = self._lines.get(timeout=timeout)
        if not line:
            raise EOFError
        return line

    def forget(self) -> None:
        """Do not quote what was printed so far."""
        self._tail.clear()

    def ended(self) -> str:
        """The last lines of a process that has ended."""
        self._reader.join(1.0)
        return " / ".join(self._tail)

    def _read(self, process: _Process) -> None:
        assert process.stdout is not None
        with suppress(ValueError), process.stdout as output:
            for count, line in enumerate(filter(None, map(str.strip, output))):
                self._tail.append(line)
                if count < 50:
                    self._lines.put(line)
        self._lines.put("")


def _end(process: _Process, owner: int) -> None:
    """Kill, wait, close the pipe. There is nothing in it that would need an orderly end."""
    if os.getpid() != owner:
        return
    process.kill()
    process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


class _Launcher:
    """A thread that starts processes and lives as long as this process.

    The kernel's "kill it with its parent" looks at the *thread* that started it; the threads in
    which environments are stepped come and go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._owner = 0

    def launch(self, command: list[str]) -> _Process:
        """Start ``command``.

        Raises:
            EnvError: the system refuses.
        """
        with self._lock:
            if self._owner != os.getpid():  # the first time, also in a forked child
                self._owner, self._orders = os.getpid(), SimpleQueue()
                threading.Thread(
                    target=_start, args=(self._orders,), name="armap-jvm-start", daemon=True
                ).start()
        order: Future[_Process] = Future()
        self._orders.put((command, order))
        try:
            return order.result()
        except OSError as error:
            raise EnvError(f"{command[0]} cannot be started: {error}") from error

    def after_fork(self) -> None:
        """Another thread of the parent may have held the lock."""
        self._lock = threading.Lock()


def _start(orders: SimpleQueue[_Order]) -> None:
    while True:
        command, order = orders.get()
        try:
            order.set_result(_popen(command))
        except OSError as error:
            order.set_exception(error)


def _popen(command: list[str]) -> _Process:
    guard = shutil.which("setpriv") if sys.platform == "linux" else None
    return subprocess.Popen(
        [*((guard, "--pdeathsig", "KILL", "--") if guard else ()), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


class _Forks:
    """In a forked child, the JVMs of the parent are let go."""

    def __init__(self) -> None:
        self._running: weakref.WeakSet[Jvm] = weakref.WeakSet()
        self._registered = False

    def watch(self, jvm: Jvm) -> None:
        self._running.add(jvm)
        if not self._registered and hasattr(os, "register_at_fork"):
            self._registered = True
            os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        _LAUNCHER.after_fork()
        for jvm in list(self._running):
            jvm.leave_to_parent()
        self._running.clear()


_LAUNCHER = _Launcher()
_FORKS = _Forks()
