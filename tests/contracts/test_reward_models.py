"""What every reward model promises, and what a trained one refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from armap.errors import ConfigError, RewardError
from armap.protocols import RewardModel
from armap.rewards import make_reward
from armap.rewards.brevity import BrevityConfig
from armap.rewards.model import TrainedReward, TrainedRewardConfig
from armap.types import Score, Trajectory
from tests.games import random_games
from tests.reward_model import trained


def score(model: RewardModel, trajectories: list[Trajectory]) -> list[Score]:
    async def run() -> list[Score]:
        return await model.score(trajectories)

    return asyncio.run(run())


@pytest.fixture(params=["brevity", pytest.param("trained", marks=pytest.mark.slow)])
def model(request: pytest.FixtureRequest) -> RewardModel:
    if request.param == "brevity":
        return make_reward(BrevityConfig())
    return make_reward(TrainedRewardConfig(path=str(trained()[0])))


def test_contract(model: RewardModel) -> None:
    games = random_games(12, seed=5, split="dev")
    assert isinstance(model, RewardModel)
    scores = score(model, games)
    assert len(scores) == len(games)
    assert score(model, []) == []
    assert score(model, games[::-1]) == scores[::-1], "order and company do not matter"
    assert [score(model, [game])[0] for game in games] == scores
    ordered = sorted(scores, key=lambda s: s.raw)
    assert [s.calibrated for s in ordered] == sorted(s.calibrated for s in scores)
    asyncio.run(model.close())
    asyncio.run(model.close())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained()[0] / "model", tmp_path / "model"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "armap_reward.json"]
)
def test_refuses_to_load_without_any_part(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=f"{name} is missing; train one with"):
        TrainedReward(TrainedRewardConfig(path=str(folder)))


@pytest.mark.slow
def test_refuses_to_make_up_a_head(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"has no head \(score.weight\)"):
        TrainedReward(TrainedRewardConfig(path=str(folder)))


@pytest.mark.slow
def test_refuses_another_renderer_and_a_broken_card(folder: Path) -> None:
    card = json.loads((folder / "armap_reward.json").read_text())
    (folder / "armap_reward.json").write_text(json.dumps({**card, "renderer": "other-7"}))
    with pytest.raises(ConfigError, match="trained under renderer 'other-7'"):
        TrainedReward(TrainedRewardConfig(path=str(folder)))
    del card["calibration"]
    (folder / "armap_reward.json").write_text(json.dumps(card))
    with pytest.raises(ConfigError, match="calibration: Field required"):
        TrainedReward(TrainedRewardConfig(path=str(folder)))


@pytest.mark.slow
def test_refuses_damaged_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(ConfigError, match="is damaged"):
        TrainedReward(TrainedRewardConfig(path=str(folder)))


@pytest.mark.slow
def test_a_trajectory_that_is_too_long_is_an_error_not_a_score(folder: Path) -> None:
    card = json.loads((folder / "armap_reward.json").read_text())
    (folder / "armap_reward.json").write_text(json.dumps({**card, "max_length": 10}))
    model = TrainedReward(TrainedRewardConfig(path=str(folder)))
    with pytest.raises(RewardError, match="exceeds the model's 10"):
        score(model, random_games(2))


def test_a_missing_folder_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="no such folder; train one with"):
        TrainedReward(TrainedRewardConfig(path="/nowhere/at/all"))
