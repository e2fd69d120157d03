"""A run file that cannot work is refused in one line that names file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from armap.config import CollectRun, PlanRun, PolicyTrainRun, RewardTrainRun, Run, load_run
from armap.envs.game24.env import Game24Config
from armap.errors import ConfigError
from armap.llms.scripted import ScriptedConfig
from armap.planners.best_of_n import BestOfNConfig
from armap.plugins import ImportConfig

COLLECT = "out: runs/x\n"
PLAN = "out: runs/x\nplanner: {kind: greedy}\n"
TRAIN = "out: runs/x\npreferences: runs/p\n"


class Files:
    """Writes run files and reads them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.yaml"

    def load(self, text: str, stage: str = "collect", *settings: str, **more: str) -> Run:
        self.path.write_text(text, encoding="utf-8")
        return load_run(self.path, stage, settings=settings, **more)

    def refusal(self, text: str, stage: str = "collect", *settings: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self.load(text, stage, *settings)
        message = str(caught.value)
        assert "\n" not in message
        return message.removeprefix(f"{self.path}: ")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_minimal_file_has_defaults(files: Files) -> None:
    run = files.load(COLLECT)
    assert run == CollectRun(out="runs/x")
    assert run.env == Game24Config()
    assert run.tasks.split == "train"


def test_a_plan_is_on_the_test_split(files: Files) -> None:
    run = files.load("out: x\nplanner: {kind: best_of_n, n: 3}\nreward: {kind: brevity}\n", "plan")
    assert isinstance(run, PlanRun)
    assert run.planner == BestOfNConfig(n=3)
    assert run.tasks.split == "test"


def test_some_of_a_plans_tasks_are_of_the_test_split_too(files: Files) -> None:
    plan = "out: x\nplanner: {kind: greedy}\n"
    few, dev = (
        files.load(plan, "plan", "tasks.limit=5"),
        files.load(plan, "plan", "tasks.split=dev"),
    )
    assert isinstance(few, PlanRun)
    assert isinstance(dev, PlanRun)
    assert (few.tasks.split, few.tasks.limit) == ("test", 5)
    assert dev.tasks.split == "dev"


def test_the_kind_of_training_decides_the_run(files: Files) -> None:
    assert isinstance(files.load(TRAIN, "train"), RewardTrainRun)
    assert isinstance(files.load(TRAIN + "train: {kind: reward}\n", "train"), RewardTrainRun)
    policy = files.load("out: runs/x\ntrain: {kind: policy}\n", "train")
    assert isinstance(policy, PolicyTrainRun)


def test_the_file_may_name_its_stage(files: Files) -> None:
    assert files.load("stage: collect\n" + COLLECT) == files.load(COLLECT)


def test_what_the_file_must_be(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_run(tmp_path / "absent.yaml", "collect")
    assert str(caught.value) == f"{tmp_path / 'absent.yaml'}: no such file"
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_run(tmp_path, "collect")
    assert str(caught.value).startswith(f"{tmp_path}: ")
    files.path.write_bytes(b"out: \xff\xfe")
    with pytest.raises(ConfigError, match=r"run\.yaml: cannot be read: .*utf-8"):
        load_run(files.path, "collect")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("out: [1\n", "not YAML: "),
        ("a: {\n\tb: 1}\n", "not YAML: "),
        ("a: \x01", "not YAML: "),
        ("a: !!python/object:os.system {}", "not YAML: "),
        ("", "a run file is a mapping of settings, not None"),
        ("- out\n- x\n", "a run file is a mapping of settings, not ['out', 'x']"),
        ("collect", "a run file is a mapping of settings, not 'collect'"),
    ],
)
def test_a_file_that_is_no_mapping(files: Files, text: str, message: str) -> None:
    assert files.refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("stage", "text", "message"),
    [
        ("collect", COLLECT + "sampels: 2\n", "sampels: unknown key; did you mean 'samples'?"),
        ("collect", COLLECT + "qqqqq: 2\n", "qqqqq: unknown key"),
        ("collect", COLLECT + "x: 2\ny: 2\n", "x: unknown key (and 1 more)"),
        ("collect", COLLECT + "tasks: {limits: 3}\n", "tasks.limits: unknown key; did you mean"),
        ("collect", COLLECT + "env: {kind: game24, turn: 3}\n", "env.turn: unknown key; did you"),
        ("plan", "out: x\nplanner: {kind: best_of_n, nn: 3}\n", "planner.nn: unknown key; did you"),
        ("train", TRAIN + "train: {kind: reward, epoch: 3}\n", "train.epoch: unknown key"),
        ("collect", COLLECT + "reward: {kind: brevity}\n", "reward: unknown key"),
        ("collect", COLLECT + "1: 2\n", "1: Keys should be strings"),
    ],
)
def test_an_unknown_key(files: Files, stage: str, text: str, message: str) -> None:
    assert files.refusal(text, stage).startswith(message)


def test_a_misspelt_nested_key_is_mended(files: Files) -> None:
    text = COLLECT + "env: {kind: game24, turms: 3}\n"
    assert files.refusal(text) == "env.turms: unknown key; did you mean 'turns'?"


@pytest.mark.parametrize(
    ("stage", "text", "key", "known"),
    [
        ("plan", "out: x\nplanner: {kind: bon}\n", "planner.kind", "best_of_n"),
        ("plan", PLAN + "reward: {kind: length}\n", "reward.kind", "brevity"),
        ("collect", COLLECT + "env: {kind: chess}\n", "env.kind", "game24"),
        ("collect", COLLECT + "llm: {kind: gpt}\n", "llm.kind", "openai"),
        ("train", TRAIN + "train: {kind: ppo}\n", "train.kind", "policy"),
        ("train", TRAIN + "train: {kind: null}\n", "train.kind", "reward"),
    ],
)
def test_an_unknown_kind_lists_the_known_ones(
    files: Files, stage: str, text: str, key: str, known: str
) -> None:
    message = files.refusal(text, stage)
    assert message.startswith(f"{key}: ")
    assert "is not one of" in message
    assert known in message


def test_a_missing_kind_is_asked_for(files: Files) -> None:
    text = "out: x\nplanner: {n: 3}\n"
    assert files.refusal(text, "plan") == "planner.kind: is missing; say which"


@pytest.mark.parametrize(
    ("stage", "text", "key", "told"),
    [
        ("collect", COLLECT + "samples: many\n", "samples", "not 'many'"),
        ("collect", COLLECT + "samples: 0\n", "samples", "greater than 0, not 0"),
        ("collect", COLLECT + "samples: 1.5\n", "samples", "not 1.5"),
        ("collect", COLLECT + "env: game24\n", "env", "not 'game24'"),
        ("collect", COLLECT + "env: {kind: game24, turns: 0}\n", "env.turns", "not 0"),
        ("collect", COLLECT + "env: {kind: game24, grading: lax}\n", "env.grading", "'strict'"),
        ("collect", COLLECT + "tasks: {split: all}\n", "tasks.split", "'train'"),
        ("collect", COLLECT + "limits:\n", "limits", "not None"),
        ("collect", "out: 7\n", "out", "not 7"),
        ("plan", "out: x\nplanner:\n", "planner", "not None"),
        ("plan", PLAN + "evaluate: perhaps\n", "evaluate", "not 'perhaps'"),
        ("train", TRAIN + "train: reward\n", "train", "not 'reward'"),
    ],
)
def test_an_impossible_value(files: Files, stage: str, text: str, key: str, told: str) -> None:
    message = files.refusal(text, stage)
    assert message.startswith(f"{key}: ")
    assert told in message


@pytest.mark.parametrize(
    ("stage", "text", "key"),
    [
        ("collect", "seed: 1\n", "out"),
        ("synthesize", "out: x\n", "trajectories"),
        ("train", "out: x\n", "preferences"),
        ("plan", "out: x\n", "planner"),
    ],
)
def test_a_missing_key(files: Files, stage: str, text: str, key: str) -> None:
    assert files.refusal(text, stage) == f"{key}: is required"


def test_several_mistakes_are_counted(files: Files) -> None:
    message = files.refusal("samples: 0\nconcurrency: 0\n")
    assert message.endswith("(and 2 more)")


def test_a_long_value_is_cut(files: Files) -> None:
    assert len(files.refusal(COLLECT + f"samples: {'x' * 500}\n")) < 200


@pytest.mark.parametrize("stage", ["collect", "synthesize", "train"])
def test_a_file_of_another_stage(files: Files, stage: str) -> None:
    message = files.refusal("stage: plan\n" + PLAN, stage)
    assert message == f"is for `armap plan`, not `armap {stage}`"


@pytest.mark.parametrize("setting", ["", "seed", "=1", "="])
def test_a_setting_without_key_or_value(files: Files, setting: str) -> None:
    assert files.refusal(COLLECT, "collect", setting) == f"--set {setting!r}: write a.b=value"


def test_a_setting_below_a_value(files: Files) -> None:
    message = files.refusal(COLLECT, "collect", "out.x=3")
    assert message == "--set 'out.x=3': 'out' is a value, not a group of settings"


def test_a_setting_that_is_no_yaml(files: Files) -> None:
    assert files.refusal(COLLECT, "collect", "seed=[") == "--set 'seed=[': the value is not YAML"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sead=1", "sead: unknown key; did you mean 'seed'?"),
        ("seed=", "seed: Input should be a valid integer, not None"),
        ("tasks.limit=-1", "tasks.limit: Input should be greater than 0, not -1"),
        ("a..b=1", "a: unknown key"),
    ],
)
def test_a_setting_is_validated_as_the_file_is(files: Files, setting: str, message: str) -> None:
    assert files.refusal(COLLECT, "collect", setting).startswith(message)


def test_settings_reach_into_groups_and_are_typed_by_yaml(files: Files) -> None:
    run = files.load(
        COLLECT + "tasks: {split: dev, limit: 3}\n",
        "collect",
        "tasks.limit=null",
        "tasks.first=5",
        "policy.stop=[a, 'b c']",
        "policy.top_p=0.5",
        "llm.kind=scripted",
        'llm.default=["=", "x: y"]',
        " limits.max_steps =7",
    )
    assert isinstance(run, CollectRun)
    assert (run.tasks.split, run.tasks.first, run.tasks.limit) == ("dev", 5, None)
    assert (run.policy.stop, run.policy.top_p) == (("a", "b c"), 0.5)
    assert run.llm == ScriptedConfig(default=("=", "x: y"))
    assert run.limits.max_steps == 7


def test_of_two_settings_the_later_one_counts(files: Files) -> None:
    assert files.load(COLLECT, "collect", "seed=1", "seed=2").seed == 2


def test_a_setting_may_replace_a_whole_group(files: Files) -> None:
    setting = "env={kind: import, target: 'mine:Env', options: {level: [1, 2]}}"
    run = files.load(COLLECT + "env: {kind: game24, turns: 3}\n", "collect", setting)
    assert isinstance(run, CollectRun)
    assert run.env == ImportConfig(target="mine:Env", options={"level": [1, 2]})


def test_out_replaces_that_of_file_and_settings(files: Files) -> None:
    assert files.load(COLLECT, out="elsewhere").out == "elsewhere"
    assert files.load("seed: 1\n", out="elsewhere").out == "elsewhere"
    assert files.load(COLLECT, "collect", "out=there", out="elsewhere").out == "elsewhere"


class TestObjective:
    PLAN = "out: x\nplanner: {kind: best_of_n}\nreward: {kind: brevity}\n"

    def test_it_is_kept_in_its_canonical_form(self, files: Files) -> None:
        run = files.load(f"{self.PLAN}objective: reward - .10*( steps )\n", "plan")
        assert isinstance(run, PlanRun)
        assert run.objective == "reward - 0.1 * steps"
        assert files.load(self.PLAN, "plan").model_dump()["objective"] is None

    def test_it_may_be_set_on_the_command_line(self, files: Files) -> None:
        run = files.load(self.PLAN, "plan", "objective=reward - 0.5 * illegal")
        assert isinstance(run, PlanRun)
        assert run.objective == "reward - 0.5 * illegal"

    def test_an_unknown_measure_is_named_with_those_there_are(self, files: Files) -> None:
        said = files.refusal(f"{self.PLAN}objective: reward - stepz\n", "plan")
        assert said.startswith(
            "objective: 'reward - stepz': no measure 'stepz'; did you mean 'steps'? "
        )
        assert "illegal (actions)" in said

    def test_the_measures_are_those_of_the_runs_environment(self, files: Files) -> None:
        env = "env: {kind: import, target: 'tests.contracts.worlds:Corridor'}\n"
        assert "no measure 'illegal'" in files.refusal(
            f"{self.PLAN}{env}objective: reward - illegal\n", "plan"
        )

    def test_nothing_is_selected_by_it_in_a_baseline(self, files: Files) -> None:
        said = files.refusal("out: x\nplanner: {kind: greedy}\nobjective: reward\n", "plan")
        assert said.startswith("objective: greedy does not select")
