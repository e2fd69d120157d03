from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from statistics import median

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from armap.errors import DataError
from armap.protocols import MeasuredReward
from armap.rewards.card import CARD, Calibration
from armap.rewards.model import TrainedReward, TrainedRewardConfig
from armap.rewards.train import (
    LearningPoint,
    RewardTrainConfig,
    pairwise_loss,
    split_by_task,
    train_reward,
)
from armap.storage import read_records
from tests.reward_model import pairs, trained

logits = st.lists(st.floats(-20, 20), min_size=1, max_size=8)


@given(logits, logits, st.floats(-50, 50))
def test_shifting_both_sides_changes_nothing(a: list[float], b: list[float], by: float) -> None:
    n = min(len(a), len(b))
    chosen = torch.tensor(a[:n], dtype=torch.float64)
    rejected = torch.tensor(b[:n], dtype=torch.float64)
    plain = pairwise_loss(chosen, rejected, 0.0)
    assert torch.allclose(plain, pairwise_loss(chosen + by, rejected + by, 0.0), atol=1e-9)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_swapping_the_pair_negates_the_margin(a: float, b: float) -> None:
    chosen, rejected = torch.tensor([a]).double(), torch.tensor([b]).double()
    forth = pairwise_loss(chosen, rejected, 0.0)
    back = pairwise_loss(rejected, chosen, 0.0)
    # log sigmoid(m) - log sigmoid(-m) = m
    assert torch.allclose(back - forth, chosen - rejected, atol=1e-9)


def test_the_centring_term_pulls_the_mean_to_zero() -> None:
    high = torch.tensor([5.0]).double(), torch.tensor([3.0]).double()
    low = torch.tensor([1.0]).double(), torch.tensor([-1.0]).double()
    assert pairwise_loss(*high, 0.1) == pairwise_loss(*high, 0.0) + 0.1 * 64
    assert pairwise_loss(*low, 0.1) == pairwise_loss(*low, 0.0)


def test_no_puzzle_on_both_sides_of_the_split() -> None:
    train, held = split_by_task(pairs(), 0.2, seed=1)
    assert len(train) + len(held) == len(pairs())
    assert held
    left, right = ({str(p.task.setup["numbers"]) for p in side} for side in (train, held))
    assert not left & right
    assert split_by_task(pairs(), 0.2, seed=1) == (train, held)


def test_one_task_cannot_be_split() -> None:
    first = pairs()[0]
    same = [p for p in pairs() if p.task.setup["numbers"] == first.task.setup["numbers"]]
    with pytest.raises(DataError, match="two tasks are needed"):
        split_by_task(same, 0.2, seed=0)


@pytest.mark.slow
def test_it_learns_and_says_how_well() -> None:
    folder, card, points = trained()
    assert card.held_out_accuracy > 0.75
    assert card.train_pairs + card.held_out_pairs == len(pairs())
    losses = [point.held_out_loss for point in points if point.held_out_loss is not None]
    assert losses[-1] < losses[0]
    saved = list(read_records(folder / "learning.jsonl", LearningPoint))
    assert [point.step for point in saved] == [point.step for point in points]


@pytest.mark.slow
def test_pairs_that_are_too_long_are_refused_not_cut(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="max_length is 12; raise it"):
        train_reward(RewardTrainConfig(max_length=12), pairs(), tmp_path, seed=0, resume=False)


@given(st.floats(-1e6, 1e6), st.floats(-100, 100), st.floats(1e-3, 100))
def test_calibration_is_bounded_and_increasing(raw: float, mean: float, spread: float) -> None:
    scale = Calibration(mean=mean, spread=spread)
    assert 0.0 <= scale.score(raw).calibrated <= 1.0
    assert scale.score(raw).calibrated <= scale.score(raw + 1.0).calibrated


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=40),
    st.lists(st.floats(-50, 50), min_size=1, max_size=40),
)
def test_the_scale_keeps_the_percentiles_of_the_better_sides(
    chosen: list[float], rejected: list[float]
) -> None:
    scale = Calibration.measured(chosen, rejected)
    assert len(scale.chosen) == 101
    assert (scale.chosen[0], scale.chosen[-1]) == (min(chosen), max(chosen))
    assert list(scale.chosen) == sorted(scale.chosen)
    assert scale.chosen[50] == pytest.approx(median(chosen))
    assert Calibration.model_validate_json(scale.model_dump_json()) == scale


@pytest.mark.slow
def test_a_trained_model_tells_how_good_trajectories_score() -> None:
    folder, card, _ = trained()
    reward = TrainedReward(TrainedRewardConfig(path=str(folder)))
    try:
        assert isinstance(reward, MeasuredReward)
        raws = [score.raw for score in reward.positives()]
        assert raws == list(card.calibration.chosen)
        assert raws[50] > card.calibration.mean
    finally:
        asyncio.run(reward.close())


@pytest.mark.slow
def test_folders_from_before_that_still_load(tmp_path: Path) -> None:
    folder, card, _ = trained()
    shutil.copytree(folder / "model", tmp_path / "model")
    old = json.loads((tmp_path / "model" / CARD).read_text())
    del old["calibration"]["chosen"]
    (tmp_path / "model" / CARD).write_text(json.dumps(old))
    reward = TrainedReward(TrainedRewardConfig(path=str(tmp_path)))
    try:
        assert reward.positives() == []
        assert reward.card.calibration.mean == card.calibration.mean
    finally:
        asyncio.run(reward.close())
