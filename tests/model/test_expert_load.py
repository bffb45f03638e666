import pytest
import torch
from moonhand.model import KimiVL, Tokenizer
from moonhand.model.expert_load import watch_experts


def test_the_shares_are_of_every_choice_of_every_router(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    ids_BL = torch.tensor([tokenizer.encode("the user sees the image")])
    with watch_experts(tiny_model) as load:
        tiny_model.decode(tiny_model.embed(ids_BL))
        tiny_model.decode(tiny_model.embed(ids_BL[:, :3]))
    shares = load.shares()
    assert len(shares) == 2  # the third layer is dense
    for name, row in shares.items():
        router = tiny_model.get_submodule(name)
        assert type(router).__name__ == "Router"
        assert len(row) == tiny_model.config.text.n_routed_experts
        assert sum(row) == pytest.approx(1)
        choices = [share * 3 * (ids_BL.shape[1] + 3) for share in row]  # three experts a token
        assert choices == pytest.approx([round(choice) for choice in choices])


def test_nothing_is_counted_before_or_after(tiny_model: KimiVL) -> None:
    ids_BL = torch.tensor([[1, 2, 3]])
    with watch_experts(tiny_model) as load:
        pass
    tiny_model.decode(tiny_model.embed(ids_BL))
    assert load.shares() == {}
