"""The promises about the code itself."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random
from typing import get_args

import pytest
import yaml
from pydantic import TypeAdapter

import armap
from armap.config import CollectRun, PlanRun, load_run
from armap.demo import demo_steps
from armap.embedded.corpus import CorpusConfig, dialogues
from armap.envs import EnvConfig, TaskSelection, make_env, select_tasks
from armap.envs.game24.env import Game24Config
from armap.envs.game24.puzzles import TEST_PUZZLES
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.llms import LLMConfig
from armap.planners import AnyPlannerConfig
from armap.rewards import RewardConfig

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
MODULES = sorted((ROOT / "armap").rglob("*.py"))


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; import json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("module", ["armap", "armap.cli.main"])
def test_the_command_line_starts_light(module: str) -> None:
    heavy = {"torch", "transformers", "numpy", "aiohttp", "jinja2", "yaml", "pydantic"}
    assert not loaded_by(f"import {module}") & heavy


def test_reading_a_config_loads_no_model_library() -> None:
    assert not loaded_by("import armap.run, armap.config") & {"torch", "transformers", "vllm"}


def test_version_agrees_with_the_changelog() -> None:
    newest = next(
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    )
    assert armap.__version__ in newest
    assert f'version = "{armap.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_public_names_are_pinned() -> None:
    assert armap.__all__ == ["__version__"]


def test_no_module_is_longer_than_a_room() -> None:
    long = {str(path): n for path in MODULES if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 9


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_config_is_a_complete_run(path: Path) -> None:
    stage = yaml.safe_load(path.read_text())["stage"]
    run = load_run(path, stage)
    assert run.out.startswith("runs/")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_config_is_named_by_its_own_comment(path: Path) -> None:
    assert f"configs/{path.parent.name}/{path.name}" in path.read_text()


def test_every_kind_can_be_chosen_by_name() -> None:
    kinds = {
        "env": EnvConfig,
        "llm": LLMConfig,
        "reward": RewardConfig,
    }
    names = {
        name: {
            get_args(member.model_fields["kind"].annotation)[0]
            for member in get_args(get_args(union)[0])
        }
        for name, union in kinds.items()
    }
    assert names == {
        "env": {"game24", "scienceworld", "webshop", "import"},
        "llm": {"local", "openai", "scripted", "shopper", "vllm", "import"},
        "reward": {"trained", "brevity", "import"},
    }
    planners = {get_args(m.model_fields["kind"].annotation)[0] for m in get_args(AnyPlannerConfig)}
    assert planners == {
        *("greedy", "sampling", "best_of_n", "self_consistency", "reflexion"),
        *("beam", "mcts", "import"),
    }
    assert TypeAdapter(EnvConfig).validate_python({"kind": "game24"}) == Game24Config()


def test_what_planners_are_handed_cannot_grade() -> None:
    for config in (Game24Config(), ScienceWorldConfig()):
        assert not hasattr(make_env(config), "outcome")


def numbers_of(opening: str) -> tuple[int, ...]:
    """The puzzle in ``Make 24 from 4 5 6 10.``"""
    listed = opening.splitlines()[0].split(" from ")[1].rstrip(".")
    return tuple(sorted(map(int, listed.split())))


def test_no_test_puzzle_in_the_policys_training_text() -> None:
    seen = {
        numbers_of(dialogue[0].text)
        for dialogue in islice(dialogues(CorpusConfig(), Random(24)), 6000)
    }
    assert len(seen) > 1000
    assert not seen & set(TEST_PUZZLES)


def test_no_test_puzzle_is_explored_for_the_reward_model() -> None:
    collected = [load_run(ROOT / "configs/game24/collect.yaml", "collect")]
    collected += [step.run for step in demo_steps("out") if isinstance(step.run, CollectRun)]
    assert len(collected) == 2
    for run in collected:
        assert isinstance(run, CollectRun)
        tasks = select_tasks(run.env, run.tasks)
        puzzles = {tuple(map(int, task.name.split())) for task in tasks}
        assert len(puzzles) >= 100
        assert not puzzles & set(TEST_PUZZLES)


def test_the_demo_plans_on_the_official_test_puzzles() -> None:
    planned = [step.run for step in demo_steps("out") if isinstance(step.run, PlanRun)]
    assert len(planned) == 5
    for run in planned:
        assert run.tasks == TaskSelection(split="test", limit=100)


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


VIOLATIONS = {
    "armap/calls/recorded.py": "import armap.oracle",
    "armap/calls/journal.py": "import armap.llms.openai.wire",
    "armap/planners/mcts/work.py": "import armap.oracle",
    "armap/synthesize/hindsight.py": "import armap.envs.game24.puzzles",
    "armap/rewards/render.py": "import armap.envs.game24.graded",
    "armap/planners/search/graph.py": "import random",
    "armap/prompts/dialogue.py": "import armap.envs.scienceworld.graded",
    "armap/rewards/model.py": "import armap.envs.webshop.graded.reward",
    "armap/synthesize/contrast.py": "import armap.envs.scienceworld.expert",
    "armap/synthesize/webshop/wishes.py": "import armap.envs.webshop.graded.reward",
    "armap/llms/shopper/model.py": "import armap.envs.webshop.world",
    "armap/planners/context.py": "import armap.envs",
    "armap/storage/lines.py": "import torch",
    "armap/run/plan.py": "import vllm",
    "armap/types/episodes.py": "import armap.rollout",
}


@pytest.mark.slow
@pytest.mark.parametrize("file", VIOLATIONS)
def test_each_contract_bites(file: str, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(
        ROOT / "armap", tmp_path / "armap", ignore=shutil.ignore_patterns("*.safetensors")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / file
    text = target.read_text().replace(
        "from __future__ import annotations\n",
        f"from __future__ import annotations\n\n{VIOLATIONS[file]}\n",
        1,
    )
    target.write_text(text)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 1, done.stdout[-1500:]
    assert "BROKEN" in done.stdout
