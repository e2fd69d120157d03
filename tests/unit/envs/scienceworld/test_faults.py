"""What goes wrong with Java, and what is left of it afterwards: nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from armap.envs.scienceworld import simulator
from armap.envs.scienceworld.bridge import Bridge
from armap.envs.scienceworld.catalogue import find
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig, keeper_of
from armap.envs.scienceworld.expert import ExpertConfig, NoisyExpert
from armap.errors import ConfigError, EnvError
from armap.types import Action, Observation, Situation
from tests.science import QUICK, gone, make_task, needs_java

pytestmark = [needs_java, pytest.mark.sim, pytest.mark.slow]

ROOT = Path(__file__).parents[4]
TASK = make_task("find-animal", 1)


def with_java(tmp_path: Path, script: str, **settings: object) -> ScienceWorldConfig:
    """Settings with a shell script in the place of Java."""
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return QUICK.model_copy(update={"java": str(java), **settings})


def start_with(tmp_path: Path, script: str, **settings: object) -> str:
    """The error with which a program that is no Java is met."""
    env = ScienceWorld(with_java(tmp_path, script, **settings))
    with pytest.raises(EnvError) as caught:
        env.reset(TASK)
    env.close()
    return str(caught.value)


def test_no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match="default-jre-headless"):
        ScienceWorld(QUICK).reset(TASK)


def test_a_java_that_is_not_there() -> None:
    env = ScienceWorld(QUICK.model_copy(update={"java": "/no/such/java"}))
    with pytest.raises(ConfigError, match="'/no/such/java' is no program"):
        env.reset(TASK)


def test_no_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(simulator, "distribution", missing)
    with pytest.raises(ConfigError, match=r"pip install 'armap\[scienceworld\]'"):
        ScienceWorld(QUICK).reset(TASK)


def test_a_java_that_gives_up_is_quoted(tmp_path: Path) -> None:
    said = start_with(tmp_path, "echo 'Unrecognized VM option' >&2; exit 1")
    assert "did not start: Java ended with 1: Unrecognized VM option" in said


def test_a_java_that_says_nothing(tmp_path: Path) -> None:
    said = start_with(tmp_path, "exec sleep 60", start_timeout=0.5)
    assert "did not start within 0.5 s; raise env.start_timeout" in said


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    said = start_with(tmp_path, "echo a warning; echo 1; echo token; exec sleep 60")
    assert "no connection to the simulator on port 1" in said


def test_a_port_where_somebody_else_listens() -> None:
    def answer(reply: bytes) -> str:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(reply)
                    connection.recv(1000)

            thread = threading.Thread(target=serve)
            thread.start()
            with pytest.raises(EnvError) as caught:
                Bridge(server.getsockname()[1], "token", timeout=0.5).create("some.Class")
            thread.join()
        return str(caught.value)

    assert "gave no answer for 0.5 s" in answer(b"")
    assert "failed in the simulator: wrong token" in answer(b"!xswrong token\n")
    assert "unknown type 'q'" in answer(b"!yq\n")


def test_a_java_that_is_not_deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "DETERMINISTIC", ())
    with pytest.raises(EnvError, match="does not run the simulator deterministically"):
        ScienceWorld(QUICK).reset(TASK)
    relaxed = ScienceWorld(QUICK.model_copy(update={"deterministic": False}))
    assert relaxed.reset(TASK).text
    relaxed.close()


def test_a_killed_java_costs_the_episode_and_nothing_else() -> None:
    env = ScienceWorld(QUICK)
    first = env.reset(TASK)
    pid = env.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EnvError, match="Java was killed by SIGKILL"):
        env.step(Action(text="look around"))
    with pytest.raises(EnvError, match="reset"):
        env.step(Action(text="look around"))
    assert env.reset(TASK) == first
    assert env.pid != pid
    os.kill(env.pid or 0, signal.SIGKILL)
    assert env.reset(TASK) == first
    env.close()


PATIENT = QUICK.model_copy(update={"timeout": 40.0, "start_timeout": 40.0})
"""Whoever waits for a hung Java waits longer than these tests do."""
SOON = 15.0
"""Seconds; without a deadline of ours, what is meant to end at once would take 40."""


def meanwhile(work: Callable[[], object]) -> Future[object]:
    """Have ``work`` done by another thread, which does not keep the tests from ending."""
    done: Future[object] = Future()

    def call() -> None:
        try:
            done.set_result(work())
        except EnvError as error:
            done.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return done


def until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


def stopped(pid: int | None) -> int:
    """Hang a process."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_hung_java_is_ended_at_once_by_closing() -> None:
    env = ScienceWorld(PATIENT)
    first = env.reset(TASK)
    pid = stopped(env.pid)
    step = meanwhile(lambda: env.step(Action(text="look around")))
    time.sleep(0.3)
    meanwhile(env.close).result(SOON)
    assert gone(pid)
    with pytest.raises(EnvError, match="Java was killed by SIGKILL"):
        step.result(SOON)
    assert env.reset(TASK) == first
    env.close()


def test_a_load_that_is_closed_meanwhile_starts_no_other_java() -> None:
    keeper = keeper_of(PATIENT)
    variation = find("find-animal", 1)
    pid = stopped(keeper.load(variation, "easy").pid)
    again = meanwhile(lambda: keeper.load(variation, "easy"))
    time.sleep(0.3)
    meanwhile(keeper.close).result(SOON)
    with pytest.raises(EnvError):
        again.result(SOON)
    assert gone(pid)
    assert keeper.simulator is None
    assert keeper.started == 1
    assert keeper.load(variation, "easy").alive
    assert keeper.started == 2
    keeper.close()


def test_a_java_that_is_closed_while_it_starts_is_ended_at_once(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    config = with_java(tmp_path, f"echo $$ >> {pids}; exec sleep 40", start_timeout=40.0)
    env = ScienceWorld(config)
    reset = meanwhile(lambda: env.reset(TASK))
    until(lambda: pids.exists() and pids.read_text())
    meanwhile(env.close).result(SOON)
    with pytest.raises(EnvError, match="did not start: Java was killed by SIGKILL"):
        reset.result(SOON)
    (pid,) = map(int, pids.read_text().split())
    assert gone(pid)


def test_an_answer_that_was_not_waited_for_is_not_taken_for_the_next() -> None:
    env = ScienceWorld(PATIENT)
    first = env.reset(TASK)
    pid = stopped(env.pid)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        env.step(Action(text="look around"))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    with pytest.raises(EnvError):
        env.step(Action(text="inventory"))
    assert env.reset(TASK) == first
    env.close()


def test_an_expert_lets_go_of_a_hung_java(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f'echo $$ >> {pids}; exec {shutil.which("java")} "$@"'
    config = with_java(tmp_path, script, timeout=40.0, start_timeout=40.0)
    expert = NoisyExpert(ExpertConfig(), config)
    at = Situation(task=make_task("grow-fruit", 1), steps=(), observation=Observation(text=""))

    async def search_and_close() -> None:
        search = asyncio.create_task(expert.propose(at, k=1, seed=0))
        while not (pids.exists() and pids.read_text()):
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)  # until it searches, more or less
        pid = stopped(int(pids.read_text()))
        began = time.monotonic()
        await expert.close()
        assert time.monotonic() < began + SOON
        with pytest.raises(EnvError):
            await asyncio.wait_for(search, SOON)
        assert gone(pid)

    asyncio.run(search_and_close())
    assert len(pids.read_text().split()) == 1


def test_no_error_quotes_the_secret(tmp_path: Path) -> None:
    """The gateway prints its port and its token first; what it says later may be quoted."""
    env = ScienceWorld(with_java(tmp_path, "echo 4242; echo hush-hush; echo bye; exit 3"))
    with pytest.raises(EnvError) as caught:
        env.reset(TASK)
    assert "hush-hush" not in str(caught.value)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"!xswrong token\n")
                connection.recv(1000)

        answer = meanwhile(refuse)
        with pytest.raises(EnvError, match="wrong token") as refused:
            Bridge(server.getsockname()[1], "hush-hush", timeout=5.0)
        answer.result(SOON)
    assert "hush-hush" not in str(refused.value)


def test_out_of_memory() -> None:
    env = ScienceWorld(QUICK.model_copy(update={"heap_mb": 14}))

    def play() -> None:
        for variation in range(20):
            env.reset(make_task("grow-plant", variation))
            for _ in range(5):
                env.step(Action(text="wait"))

    with pytest.raises(EnvError, match=r"out of memory; raise env\.heap_mb"):
        play()
    env.close()


BEGIN = """
import os, signal, sys, time
from armap.envs.scienceworld.env import ScienceWorld
from armap.types import Action
from tests.science import QUICK, make_task
env = ScienceWorld(QUICK)
env.reset(make_task("find-animal", 1))
print(env.pid, flush=True)
"""

ENDINGS = {
    "normally": "",
    "exception": "raise ValueError",
    "exit": "sys.exit(3)",
    "at once": "os._exit(3)",
    "kill -9": "os.kill(os.getpid(), signal.SIGKILL)",
    "ctrl-c": "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "ctrl-c in a step": (
        "import threading\n"
        "threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "while True: env.step(Action(text='wait'))"
    ),
    "terminated": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "closed": "env.close()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_java_is_left(ending: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + ENDINGS[ending]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    assert done.stdout.split(), done.stderr
    assert gone(int(done.stdout.split()[0])), done.stderr


def test_no_java_is_left_when_a_forked_child_outlives_the_parent() -> None:
    ending = "if os.fork() == 0: time.sleep(20)\nelse: os.kill(os.getpid(), signal.SIGKILL)"
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + ending],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        java = int(parent.stdout.readline())
        try:
            assert parent.wait(30) == -signal.SIGKILL
            assert gone(java)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_a_forked_child_has_a_java_of_its_own() -> None:
    script = BEGIN + (
        "seen = env.reset(make_task('boil', 1))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    own = env.reset(make_task('boil', 1))\n"
        "    print('child', env.pid, own == seen, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print('parent', env.pid, env.step(Action(text='inventory')).text, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    first, child, parent, *_ = done.stdout.splitlines()
    assert child.split()[2] == "True", done.stderr
    assert child.split()[1] != first
    assert parent.startswith(f"parent {first} In your inventory"), done.stderr
    assert gone(int(first))
    assert gone(int(child.split()[1]))


def test_a_java_outlives_the_thread_that_wanted_it() -> None:
    env = ScienceWorld(QUICK)
    thread = threading.Thread(target=env.reset, args=(TASK,))
    thread.start()
    thread.join()
    assert env.step(Action(text="look around")).text
    assert env.step(Action(text="inventory")).text
    env.close()
