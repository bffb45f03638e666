from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from moonhand.model import SamplingConfig
from moonhand.model.sampling import choose, likeliest
from moonhand.model.seeds import LARGEST_SEED, SMALLEST_SEED, later_seed

PROBABILITIES_V = torch.tensor([0.1, 0.5, 0.3, 0.06, 0.04])


def _draw(config: SamplingConfig, times: int = 1) -> list[int]:
    generator = torch.Generator().manual_seed(config.seed)
    return [choose(PROBABILITIES_V.log()[None], [config], [generator])[0][0] for _ in range(times)]


def test_greedy_takes_the_likeliest() -> None:
    assert _draw(SamplingConfig(), 20) == [1] * 20


def test_draws_follow_the_distribution() -> None:
    counts = torch.bincount(torch.tensor(_draw(SamplingConfig(temperature=1.0), 4000)), minlength=5) / 4000
    torch.testing.assert_close(counts, PROBABILITIES_V, rtol=0, atol=0.03)  # 4 standard deviations of 0.5 at 4000


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    sharp, flat = (_draw(SamplingConfig(temperature=t), 500).count(1) / 500 for t in (0.3, 5.0))
    assert sharp > 0.75
    assert flat < 0.35


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    assert set(_draw(SamplingConfig(temperature=1.0, top_p=0.79), 500)) == {1, 2}
    assert set(_draw(SamplingConfig(temperature=1.0, top_p=0.85), 500)) == {0, 1, 2}
    assert set(_draw(SamplingConfig(temperature=1.0, top_p=0.01), 500)) == {1}


def test_a_seed_repeats_its_draws() -> None:
    config = SamplingConfig(temperature=1.0, seed=5)
    assert _draw(config, 50) == _draw(config, 50)
    assert _draw(config, 50) != _draw(SamplingConfig(temperature=1.0, seed=6), 50)


def test_the_largest_and_the_smallest_seed_draw_and_behind_the_largest_comes_0() -> None:
    for seed in (LARGEST_SEED, SMALLEST_SEED):
        assert _draw(SamplingConfig(temperature=1.0, seed=seed), 5)
    assert [later_seed(LARGEST_SEED - 1, count) for count in range(4)] == [LARGEST_SEED - 1, LARGEST_SEED, 0, 1]
    assert [later_seed(-1, count) for count in range(3)] == [-1, 0, 1]


def test_the_log_probability_is_of_the_untempered_uncut_distribution() -> None:
    config = SamplingConfig(temperature=0.1, top_p=0.1)
    ((token, logprob),) = choose(PROBABILITIES_V.log()[None] + 3, [config], [torch.Generator()])
    assert token == 1
    assert logprob == pytest.approx(math.log(0.5))


def test_the_likeliest_are_told_best_first_and_none_that_cannot_be_said() -> None:
    logits_V = torch.cat([PROBABILITIES_V.log(), torch.tensor([float("-inf")])]) + 3
    told = likeliest(logits_V, logits_V.logsumexp(-1), 3)
    assert [token for token, _ in told] == [1, 2, 0]
    assert [math.exp(logprob) for _, logprob in told] == pytest.approx([0.5, 0.3, 0.1])
    assert len(likeliest(logits_V, logits_V.logsumexp(-1), 100)) == 5
    with pytest.raises(ValueError, match="top_logprobs must be >= 0, got -1"):
        SamplingConfig(top_logprobs=-1)


def test_a_forbidden_token_is_never_drawn() -> None:
    logits_V = PROBABILITIES_V.log().index_fill(0, torch.tensor([1]), float("-inf"))
    generator = torch.Generator().manual_seed(0)
    assert 1 not in {choose(logits_V[None], [SamplingConfig(temperature=9.0)], [generator])[0][0] for _ in range(200)}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_whose_logits_are_not_numbers_has_no_log_probability_and_leaves_the_others_alone(
    temperature: float,
) -> None:
    logits_NV = torch.tensor([[0.0, math.nan], [0.0, 9.0]])
    config = SamplingConfig(temperature=temperature)
    broken, sound = choose(logits_NV, [config, SamplingConfig()], [torch.Generator(), torch.Generator()])
    assert math.isnan(broken[1])
    assert sound == (1, pytest.approx(0, abs=1e-3))


def test_every_row_is_drawn_by_its_own_config_and_generator() -> None:
    configs = [SamplingConfig(temperature=t, top_p=p, seed=s) for t, p, s in ((0, 1, 0), (1, 0.79, 1), (5, 1, 2))]
    together = [torch.Generator().manual_seed(config.seed) for config in configs]
    alone = [torch.Generator().manual_seed(config.seed) for config in configs]
    logits_NV = PROBABILITIES_V.log().expand(3, -1)
    for _ in range(50):
        found = choose(logits_NV, configs, together)
        assert found == [
            choose(logits_NV[:1], [config], [generator])[0] for config, generator in zip(configs, alone, strict=True)
        ]
        assert found[0][0] == 1
        assert found[1][0] in {1, 2}


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_new_tokens": 0},
        {"seed": LARGEST_SEED + 1},
        {"seed": SMALLEST_SEED - 1},
    ],
)
def test_a_senseless_setting_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        SamplingConfig(**fields)
