"""What goes wrong with Java, and what is left of it afterwards: nothing."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from armap.envs.scienceworld import simulator
from armap.envs.scienceworld.bridge import Bridge
from armap.envs.scienceworld.env import ScienceWorld
from armap.errors import ConfigError, EnvError
from armap.types import Action
from tests.science import QUICK, gone, make_task, needs_java

pytestmark = [needs_java, pytest.mark.sim, pytest.mark.slow]

ROOT = Path(__file__).parents[4]
TASK = make_task("find-animal", 1)


def start_with(tmp_path: Path, script: str, **settings: object) -> str:
    """The error with which a program that is no Java is met."""
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    env = ScienceWorld(QUICK.model_copy(update={"java": str(java), **settings}))
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
