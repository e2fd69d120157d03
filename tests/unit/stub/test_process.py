"""The stub as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.stub.__main__ import parser, settings
from tests.stub.settings import Fault, Settings

ROOT = Path(__file__).parents[3]


def test_it_says_where_it_listens_and_ends_with_its_parent() -> None:
    command = [sys.executable, "-m", "tests.stub", "--with-parent", "--model", "m"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        words = process.stdout.readline().split()
        assert words[:2] == ["listening", "on"]
        with urllib.request.urlopen(f"http://127.0.0.1:{words[2]}/v1/models") as response:
            assert json.load(response)["data"][0]["id"] == "m"
        process.stdin.close()
        assert process.wait(5) == 0


def test_every_setting_is_an_option() -> None:
    assert settings(parser().parse_args([])) == Settings()
    line = (
        "--latency-ms 50 --jitter-ms 5 --replies game24 --seed 3 --faults 0.05 --kinds 429,drip"
        " --poison X --retry-after 1 --hang 9 --drip-ms 4 --pieces 3 --no-n --refuse n"
        " --refuse seed --api-key K --model M --context 99 --rate 7"
    )
    assert settings(parser().parse_args(line.split())) == Settings(
        latency=0.05,
        jitter=0.005,
        replies="game24",
        seed=3,
        faults=0.05,
        kinds=(Fault.RATE_LIMIT, Fault.DRIP),
        poison="X",
        retry_after=1.0,
        hang=9.0,
        drip=0.004,
        pieces=3,
        single=True,
        refused=frozenset({"n", "seed"}),
        api_key="K",
        model="M",
        context=99,
        concurrent=7,
    )
