"""One YAML file describes one run; this module reads it.

The settings of a part stand beside the part (``PolicyConfig`` in :mod:`armap.policy`, ...);
here they are put together into the five runs that the command line knows.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from armap.calls import BudgetConfig
from armap.embedded.train import PolicyTrainConfig
from armap.envs import KINDS, AnyEnvConfig, EnvConfig, TaskSelection, make_measures
from armap.envs.game24.env import Game24Config
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.envs.scienceworld.expert import ExpertConfig
from armap.errors import ConfigError
from armap.llms import LLMConfig
from armap.llms.local import LocalConfig
from armap.objective import Objective
from armap.planners import PlannerConfig
from armap.planners.sampling import GreedyConfig, SamplingConfig
from armap.planners.self_consistency import SelfConsistencyConfig
from armap.policy import PolicyConfig
from armap.rewards import RewardConfig
from armap.rewards.train import RewardTrainConfig
from armap.storage import read_manifest
from armap.synthesize import HindsightConfig, SynthesisConfig
from armap.types import Limits, Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "FREE",
    "CollectRun",
    "PlanRun",
    "PolicyTrainRun",
    "RewardTrainRun",
    "SynthesizeRun",
    "TrainRun",
    "load_env",
    "load_manifest_run",
    "load_run",
]


class CollectRun(Record):
    """``armap collect``: which policy explores which tasks, how often."""

    stage: Literal["collect"] = "collect"
    out: str
    """Run folder."""
    seed: int = 0
    env: EnvConfig = Game24Config()
    tasks: TaskSelection = TaskSelection()
    llm: LLMConfig = LocalConfig()
    policy: PolicyConfig = PolicyConfig()
    limits: Limits = Limits()
    expert: ExpertConfig | None = None
    """Who acts instead of ``llm``: an expert that knows the solutions and slips. ScienceWorld
    only, for offline data; the episodes say so."""
    samples: int = Field(default=1, gt=0)
    """Episodes per task."""
    concurrency: int = Field(default=256, gt=0)
    """Episodes in flight."""
    budget: BudgetConfig = BudgetConfig()
    """What the run's calls may cost."""

    @model_validator(mode="after")
    def _expert_at_home(self) -> CollectRun:
        if self.expert is not None and not isinstance(self.env, ScienceWorldConfig):
            raise ValueError(f"expert: knows scienceworld only, and env.kind is {self.env.kind}")
        return self


class SynthesizeRun(Record):
    """``armap synthesize``: pairs out of collected trajectories."""

    stage: Literal["synthesize"] = "synthesize"
    out: str
    seed: int = 0
    trajectories: str
    """Run folder of ``armap collect`` (or ``armap import``)."""
    env: EnvConfig = Game24Config()
    synthesis: SynthesisConfig = HindsightConfig()

    @model_validator(mode="before")
    @classmethod
    def _hindsight(cls, content: Any) -> Any:
        """``synthesis: {pairs: 100}`` means hindsight, like no ``synthesis`` at all."""
        synthesis = content.get("synthesis", {}) if isinstance(content, dict) else None
        if not isinstance(synthesis, dict):
            return content
        return {**content, "synthesis": {"strategy": "hindsight", **synthesis}}

    @field_validator("synthesis")
    @classmethod
    def _at_home(cls, synthesis: SynthesisConfig, info: ValidationInfo) -> SynthesisConfig:
        env = info.data.get("env")
        if env is None:
            return synthesis
        fit = {"scienceworld": "contrast", "webshop": "webshop_hindsight"}.get(
            env.kind, "hindsight"
        )
        if synthesis.strategy not in {fit, "contrast"}:
            raise ValueError(
                f"strategy {synthesis.strategy!r} does not know env.kind {env.kind!r}; use {fit!r}"
            )
        return synthesis


class RewardTrainRun(Record):
    """``armap train`` with ``train.kind: reward``."""

    stage: Literal["train"] = "train"
    out: str
    seed: int = 0
    preferences: str
    """Run folder of ``armap synthesize``."""
    train: RewardTrainConfig = RewardTrainConfig()


class PolicyTrainRun(Record):
    """``armap train`` with ``train.kind: policy``: how the embedded model was made."""

    stage: Literal["train"] = "train"
    out: str
    seed: int = 0
    train: PolicyTrainConfig


class PlanRun(Record):
    """``armap plan``: which planner, with which policy and reward model, on which tasks."""

    stage: Literal["plan"] = "plan"
    out: str
    seed: int = 0
    env: EnvConfig = Game24Config()
    tasks: TaskSelection = TaskSelection(split="test")
    llm: LLMConfig = LocalConfig()
    policy: PolicyConfig = PolicyConfig()
    limits: Limits = Limits()
    reward: RewardConfig | None = None
    planner: PlannerConfig
    objective: str | None = None
    """What the answers are to maximise, e.g. ``reward - 0.02 * steps``: the calibrated score and
    the environment's measures; None for the reward model's raw score."""
    concurrency: int = Field(default=100, gt=0)
    """Tasks in flight."""
    budget: BudgetConfig = BudgetConfig()
    """What the run's calls may cost."""
    evaluate: bool = True
    """Grade every candidate afterwards; planning never sees the grades."""

    @model_validator(mode="before")
    @classmethod
    def _test_split(cls, content: Any) -> Any:
        """``tasks: {limit: 5}`` means five of the test split, like no ``tasks`` at all."""
        tasks = content.get("tasks") if isinstance(content, dict) else None
        if not isinstance(tasks, dict):
            return content
        return {**content, "tasks": {"split": "test", **tasks}}

    @field_validator("objective")
    @classmethod
    def _known_measures(cls, text: str | None, info: ValidationInfo) -> str | None:
        """The objective in its canonical form."""
        planner, env = info.data.get("planner"), info.data.get("env")
        if text is None or env is None:
            return text
        if isinstance(planner, GreedyConfig | SamplingConfig | SelfConsistencyConfig):
            raise ConfigError(
                f"{planner.kind} does not select by score: use best_of_n, say, or leave it"
            )
        return Objective.parse(text, make_measures(env)).text


TrainRun = RewardTrainRun | PolicyTrainRun
Run = CollectRun | SynthesizeRun | RewardTrainRun | PolicyTrainRun | PlanRun

FREE = frozenset(
    {
        "out",
        "budget",
        "concurrency",
        "limits.step_seconds",
        "env.episodes",
        "env.heap_mb",
        "env.java",
        "env.jvms",
        "env.memory_mb",
        "env.start_timeout",
        "env.timeout",
        "llm.adaptive",
        "llm.api_key_env",
        "llm.base_url",
        "llm.concurrency",
        "llm.enable_prefix_caching",
        "llm.enforce_eager",
        "llm.exchange",
        "llm.extra_headers",
        "llm.gpu_memory_utilization",
        "llm.max_batch",
        "llm.max_n",
        "llm.prefix_mb",
        "llm.retry",
        "llm.tensor_parallel_size",
        "llm.timeout",
    }
)
"""Settings that may change when a run is continued: they say how fast and how far it goes, not
what comes out."""

_KINDS: dict[str, Any] = {
    "collect": CollectRun,
    "synthesize": SynthesizeRun,
    "plan": PlanRun,
}


def load_run(
    path: Path, stage: str, *, settings: Sequence[str] = (), out: str | None = None
) -> Run:
    """Read, change and validate a run file.

    Args:
        path: the YAML file.
        stage: the command that asks: ``collect``, ``synthesize``, ``train`` or ``plan``.
        settings: changes of the form ``a.b=value``; the value is read as YAML.
        out: replaces the file's ``out``.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, has an unknown key or an
            impossible value, or belongs to another command; one line, with a way to mend it.
    """
    return _validated(path, stage, _read(path), settings=settings, out=out)


def load_manifest_run(
    folder: Path, stage: str, *, settings: Sequence[str] = (), out: str | None = None
) -> Run:
    """The configuration that the run in ``folder`` was made with, changed as by :func:`load_run`.

    Raises:
        ConfigError: the folder holds no run, or one of another stage.
    """
    content = dict(read_manifest(folder).config)
    return _validated(folder, stage, content, settings=settings, out=out)


def load_env(kind: str, settings: Sequence[str] = ()) -> AnyEnvConfig:
    """An environment by its kind, with settings of the form ``a.b=value``.

    Raises:
        ConfigError: there is no such environment or setting.
    """
    if kind not in KINDS:
        raise ConfigError(f"no environment {kind!r}; there is {', '.join(KINDS)}")
    content: dict[str, Any] = {"kind": kind}
    for setting in settings:
        _apply(content, setting)
    try:
        config: AnyEnvConfig = TypeAdapter(EnvConfig).validate_python(content)
    except ValidationError as error:
        raise ConfigError(f"--set {explain(error, EnvConfig)}") from error
    return config


def _validated(
    path: Path, stage: str, content: dict[str, Any], *, settings: Sequence[str], out: str | None
) -> Run:
    for setting in settings:
        _apply(content, setting)
    if out is not None:
        content["out"] = out
    if content.get("stage") not in {None, stage}:
        raise ConfigError(f"{path}: is for `armap {content['stage']}`, not `armap {stage}`")
    kind = _kind(path, stage, content)
    try:
        run = kind.model_validate({**content, "stage": stage})
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, kind)}") from error
    assert isinstance(run, Run)
    return run


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = str(error).replace("\n", " ")
        raise ConfigError(f"{path}: not YAML: {where}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a run file is a mapping of settings, not {content!r:.40}")
    return content


def _apply(content: dict[str, Any], setting: str) -> None:
    key, sign, value = setting.partition("=")
    if not sign or not key:
        raise ConfigError(f"--set {setting!r}: write a.b=value")
    *parents, last = key.strip().split(".")
    place = content
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {setting!r}: {parent!r} is a value, not a group of settings")
        place = inner
    try:
        place[last] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"--set {setting!r}: the value is not YAML") from error


def _kind(path: Path, stage: str, content: dict[str, Any]) -> type[Any]:
    if stage != "train":
        kind: type[Any] = _KINDS[stage]
        return kind
    part = content.get("train")
    name = part.get("kind", "reward") if isinstance(part, dict) else "reward"
    kinds: dict[str, type[Any]] = {"reward": RewardTrainRun, "policy": PolicyTrainRun}
    if not isinstance(name, str) or name not in kinds:
        raise ConfigError(f"{path}: train.kind: {name!r} is not one of reward, policy")
    return kinds[name]


def explain(error: ValidationError, kind: Any) -> str:
    """The first complaint in one line, with the nearest known key for a misspelt one."""
    details = error.errors(include_url=False)
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    if not first["loc"]:  # what is wrong is how settings go together
        return first["msg"].removeprefix("Value error, ")
    known = _known_keys(TypeAdapter(kind).json_schema())
    *parents, last = (str(part) for part in first["loc"])
    # Between a union's key and its member's, the location also holds the member's kind.
    where = ".".join((*(part for part in parents if part in known or part.isdigit()), last))
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(last, known, n=1)
        text = "unknown key" + (f"; did you mean {close[0]!r}?" if close else "")
    elif first["type"] == "union_tag_invalid":
        context = first.get("ctx", {})
        text = f"{context.get('tag')!r} is not one of {context.get('expected_tags')}"
        where += ".kind"
    elif first["type"] == "union_tag_not_found":
        text, where = "is missing; say which", where + ".kind"
    elif first["type"] == "missing":
        text = "is required"
    elif first["type"] == "value_error":
        text = str(first["ctx"]["error"])
    else:
        text = f"{first['msg']}, not {first['input']!r:.60}"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{where}: {text}{more}"


def _known_keys(schema: Any) -> list[str]:
    """Every property name in a JSON schema."""
    if isinstance(schema, dict):
        own = list(schema.get("properties", {}))
        return own + [key for value in schema.values() for key in _known_keys(value)]
    if isinstance(schema, list):
        return [key for value in schema for key in _known_keys(value)]
    return []
