from __future__ import annotations

import copy
import hashlib
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from moonhand.model import (
    BadImage,
    BadTokenizer,
    ContextTooLong,
    Engine,
    KimiVL,
    KimiVLConfig,
    Message,
    NoDevice,
    Picture,
    SamplingConfig,
    Tokenizer,
    load,
    preprocess,
    render,
    save_checkpoint,
    write_tiktoken_model,
)
from moonhand.model.calibration import Calibration, Curve
from moonhand.model.prompt import stack_patches

WIDE = Picture(np.random.default_rng(1).integers(0, 256, (60, 100, 3), np.uint8))
TALL = Picture(np.random.default_rng(2).integers(0, 256, (90, 40, 3), np.uint8))
ASK = [Message("user", (WIDE, "the user", TALL, "?"))]
SHORT = SamplingConfig(max_new_tokens=12)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(scope="module")
def engine(tiny_model: KimiVL, tokenizer: Tokenizer) -> Engine:
    return Engine(tiny_model, tokenizer, name="tiny")


@pytest.fixture(scope="module")
def folder(tiny_model: KimiVL, small_tokens: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    save_checkpoint(tiny_model, folder)
    write_tiktoken_model(small_tokens, folder / "tiktoken.model")
    return folder


def _prompt_ids(engine: Engine, messages: list[Message]) -> tuple[list[int], list[int], torch.Tensor, torch.Tensor]:
    patches = [preprocess(p.pixels_HW3, engine.config.image) for message in messages for p in message.pictures]
    counts = [each.num_tokens(engine.config.image) for each in patches]
    pixels_PCHW = stack_patches(patches, engine.config)
    grid_hw = torch.tensor([each.grid_hw for each in patches])
    return render(messages, engine.tokenizer, counts), counts, pixels_PCHW, grid_hw


def _always_says(model: KimiVL, engine: Engine, messages: list[Message], token: int) -> KimiVL:
    """A copy whose output head answers this prompt with this token first, by a wide margin."""
    ids, _, pixels_PCHW, grid_hw = _prompt_ids(engine, messages)
    changed = copy.deepcopy(model)
    features_TD = changed.encode_images(pixels_PCHW, grid_hw)
    hidden_BLD = changed.language_model.model(changed.embed(torch.tensor([ids]), features_TD))
    changed.language_model.lm_head.weight[token] = 50 * hidden_BLD[0, -1]
    return changed


def test_a_greedy_reply_equals_the_plain_uncached_model(engine: Engine) -> None:
    generation = engine.generate(ASK, SHORT)
    ids, counts, pixels_PCHW, grid_hw = _prompt_ids(engine, ASK)
    assert generation.prompt_tokens == len(ids)
    assert generation.image_tokens == sum(counts)
    assert len(generation.tokens) == 12
    for token in generation.tokens:
        logits_V = engine.model(torch.tensor([ids]), pixels_PCHW, grid_hw)[0, -1]
        logits_V[engine.tokenizer.media_pad] = -math.inf
        assert token.id == int(logits_V.argmax())
        assert token.logprob == pytest.approx(float(logits_V.log_softmax(-1)[token.id]), abs=1e-4)
        ids.append(token.id)


def test_a_stream_gives_the_same_tokens_as_the_whole_reply(engine: Engine) -> None:
    generation = engine.generate(ASK, SHORT)
    assert tuple(engine.stream(ASK, SHORT)) == generation.tokens
    assert generation.text == "".join(token.text for token in generation.tokens)
    assert (generation.thinking, generation.answer, generation.thought_finished) == (
        None,
        generation.text.strip(),
        True,
    )


def test_a_reply_that_fills_its_allowance_ends_by_length(engine: Engine) -> None:
    generation = engine.generate(ASK, replace(SHORT, stop_ids=frozenset()))
    assert generation.finish_reason == "length"
    assert len(generation.tokens) == 12


def test_a_reply_ends_before_a_stop_token(engine: Engine) -> None:
    tokens = engine.generate(ASK, SHORT).tokens
    stop = tokens[5].id
    first = next(i for i, token in enumerate(tokens) if token.id == stop)
    stopped = engine.generate(ASK, replace(SHORT, stop_ids=frozenset({stop})))
    assert stopped.finish_reason == "stop"
    assert stopped.tokens == tokens[:first]


@pytest.mark.parametrize("name", ["<|im_end|>", "[EOS]"])
def test_the_end_of_turn_and_the_end_of_text_stop_a_reply(tiny_model: KimiVL, engine: Engine, name: str) -> None:
    model = _always_says(tiny_model, engine, ASK, engine.tokenizer.special(name))
    generation = Engine(model, engine.tokenizer, name="ends").generate(ASK, SHORT)
    assert (generation.text, generation.tokens, generation.finish_reason) == ("", (), "stop")


def test_a_reply_holds_no_picture_placeholder(tiny_model: KimiVL, engine: Engine) -> None:
    model = _always_says(tiny_model, engine, ASK, engine.tokenizer.media_pad)
    generation = Engine(model, engine.tokenizer, name="mute").generate(ASK, SHORT)
    assert engine.tokenizer.media_pad not in {token.id for token in generation.tokens}


def test_tokens_past_the_vocabulary_are_never_chosen(
    tiny_config: KimiVLConfig,
    with_text: Callable[..., KimiVLConfig],
    random_model: Callable[[KimiVLConfig], KimiVL],
    tokenizer: Tokenizer,
) -> None:
    padded = random_model(with_text(tiny_config, vocab_size=tokenizer.vocab_size + 2000))
    generation = Engine(padded, tokenizer, name="padded").generate(
        ASK, SamplingConfig(temperature=9, max_new_tokens=30)
    )
    assert all(token.id < tokenizer.vocab_size for token in generation.tokens)


def test_a_seed_repeats_a_sampled_reply(engine: Engine) -> None:
    sampling = SamplingConfig(temperature=1.0, top_p=0.9, max_new_tokens=12, seed=3)
    assert engine.generate(ASK, sampling).tokens == engine.generate(ASK, sampling).tokens
    assert engine.generate(ASK, sampling).tokens != engine.generate(ASK, replace(sampling, seed=4)).tokens


def test_the_order_and_the_content_of_pictures_matter(engine: Engine) -> None:
    other = [Message("user", (TALL, "the user", WIDE, "?"))]
    assert engine.generate(ASK, SHORT).tokens[0].logprob != engine.generate(other, SHORT).tokens[0].logprob


def test_a_reply_without_pictures_spends_no_time_on_sight(engine: Engine) -> None:
    generation = engine.generate([Message("user", ("the user",))], SHORT)
    assert generation.image_tokens == 0
    assert 0 <= generation.vision_s < 0.01
    assert generation.prefill_s > 0
    assert generation.decode_s > 0


def test_a_request_past_the_context_is_refused_before_any_work(engine: Engine) -> None:
    with pytest.raises(ContextTooLong, match=r"tokens \(0 of pictures\) .* over the model's 512"):
        engine.stream([Message("user", ("x" * 500,))], SHORT)
    with pytest.raises(ContextTooLong, match="lower max_new_tokens"):
        engine.generate(ASK, SamplingConfig(max_new_tokens=512))


def test_a_request_that_just_fits_the_context_runs_to_its_end(engine: Engine) -> None:
    ids, _, _, _ = _prompt_ids(engine, ASK)
    text = "x" * (512 - len(ids) - 4)
    sampling = SamplingConfig(max_new_tokens=4, stop_ids=frozenset())
    messages = [Message("user", (WIDE, "the user", TALL, "?" + text))]
    generation = engine.generate(messages, sampling)
    assert generation.prompt_tokens + len(generation.tokens) == 512
    with pytest.raises(ContextTooLong):
        engine.generate(messages, replace(sampling, max_new_tokens=5))


def test_a_picture_the_processor_cannot_take_is_refused_at_once(engine: Engine) -> None:
    with pytest.raises(BadImage, match="0x60"):
        engine.stream([Message("user", (Picture(np.zeros((60, 0, 3), np.uint8)),))], SHORT)


def test_streaming_leaves_the_callers_gradient_mode_alone(engine: Engine) -> None:
    for _ in engine.stream(ASK, SHORT):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_the_transform_is_the_image_processors(engine: Engine) -> None:
    assert engine.transform(100, 60).padded_width_px == 112


def test_a_folder_loads_into_an_engine_that_answers_the_same(
    tiny_model: KimiVL, tokenizer: Tokenizer, folder: Path
) -> None:
    loaded = load(folder, device="cpu", dtype="float32")
    assert loaded.generate(ASK, SHORT).tokens == Engine(tiny_model, tokenizer, name="new").generate(ASK, SHORT).tokens
    assert loaded.name == folder.name


@pytest.mark.parametrize("dtype", ["auto", "bfloat16", torch.float32])
def test_an_engine_answers_in_any_dtype_it_takes(folder: Path, dtype: str | torch.dtype) -> None:
    engine = load(folder, device="cpu", dtype=dtype)
    if dtype != "auto":
        assert str(engine.dtype).removeprefix("torch.") == str(dtype).removeprefix("torch.")
    assert len(engine.generate(ASK, replace(SHORT, stop_ids=frozenset())).tokens) == 12


def test_the_manifest_says_what_a_run_must_record(folder: Path) -> None:
    manifest = load(folder, device="cpu", dtype="float32").manifest()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert manifest["weights_sha256"] == {"model.safetensors": digest}
    assert (manifest["model"], manifest["device"], manifest["dtype"]) == (folder.name, "cpu", "float32")
    assert manifest["image_processor"]["in_token_limit"] == 64
    assert manifest["versions"]["torch"] == torch.__version__


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "mps"])
def test_a_device_that_is_not_here_is_refused(folder: Path, device: str) -> None:
    with pytest.raises(NoDevice, match=device):
        load(folder, device=device)


def test_a_dtype_nobody_knows_is_refused(folder: Path) -> None:
    with pytest.raises(NoDevice, match=r"'int3' is not one of auto, bfloat16, float16, float32"):
        load(folder, dtype="int3")


def test_a_vocabulary_of_another_model_is_refused(tiny_model: KimiVL, small_tokens: list[bytes]) -> None:
    with pytest.raises(BadTokenizer, match="media_placeholder_token_id"):
        Engine(tiny_model, Tokenizer(small_tokens[:-1]), name="mixed up")
    with pytest.raises(BadTokenizer, match=r"521 ids but config\.json's vocab_size is 520"):
        Engine(tiny_model, Tokenizer([*small_tokens, b"more"]), name="mixed up")


def test_a_vocabulary_of_another_model_is_refused_before_a_weight_is_read(
    folder: Path, small_tokens: list[bytes], tmp_path: Path
) -> None:
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(folder / name, tmp_path)
    write_tiktoken_model([*small_tokens, b"more"], tmp_path / "tiktoken.model")
    with pytest.raises(BadTokenizer, match="vocab_size is 520"):
        load(tmp_path)


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_gives_the_same_greedy_reply_in_fp32(folder: Path, engine: Engine) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    on_gpu = load(folder, device="cuda", dtype="float32").generate(ASK, SHORT)
    on_cpu = engine.generate(ASK, SHORT)
    assert [token.id for token in on_gpu.tokens] == [token.id for token in on_cpu.tokens]
    logprobs = [token.logprob for token in on_cpu.tokens]
    assert [token.logprob for token in on_gpu.tokens] == pytest.approx(logprobs, abs=1e-3)


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_takes_bf16_by_itself(folder: Path) -> None:
    engine = load(folder)
    assert (engine.device.type, engine.dtype) == ("cuda", torch.bfloat16)
    assert len(engine.generate(ASK, replace(SHORT, stop_ids=frozenset())).tokens) == 12


@pytest.fixture(scope="module")
def counting_engine(
    tiny_config: KimiVLConfig,
    small_tokens: list[bytes],
    with_text: Callable[..., KimiVLConfig],
    random_model: Callable[[KimiVLConfig], KimiVL],
) -> Engine:
    """Its vocabulary holds "000" to "999" as single tokens."""
    tokenizer = Tokenizer([*small_tokens, *(b"%03d" % number for number in range(1000))])
    config = with_text(tiny_config, vocab_size=tokenizer.vocab_size)
    config = replace(config, media_placeholder_token_id=tokenizer.media_pad)
    return Engine(random_model(config), tokenizer, name="counting")


def test_a_number_token_comes_with_the_probabilities_of_all_thousand(counting_engine: Engine) -> None:
    ids = counting_engine.number_ids
    assert ids is not None
    tokens = [
        token
        for seed in range(4)
        for token in counting_engine.generate(ASK, replace(SHORT, temperature=1.0, seed=seed)).tokens
    ]
    numbers = [token for token in tokens if token.id in ids.tolist()]
    assert 0 < len(numbers) < len(tokens)
    for token in tokens:
        assert (token.numbers is not None) == (token.id in counting_engine.number_tokens)
    for token in numbers:
        assert token.numbers is not None
        assert token.numbers.shape == (1000,)
        assert float(token.numbers.sum()) == pytest.approx(1, abs=1e-4)
        assert (
            token.numbers[ids.tolist().index(token.id)] >= math.exp(token.logprob or 0.0) - 1e-6
        )  # a share of fewer tokens is larger


def test_a_number_of_fewer_digits_counts_as_the_decimals_that_it_is(counting_engine: Engine) -> None:
    short = counting_engine.short_numbers  # one byte each; none of two digits is a single token here
    assert sorted(short.values()) == list(range(0, 1000, 100))
    logits_V = torch.full((counting_engine.tokenizer.vocab_size,), -30.0)
    (five,), (half,) = counting_engine.tokenizer.encode("5"), counting_engine.tokenizer.encode("500")
    logits_V[five] = logits_V[half] = 1.0
    found_C = counting_engine.thousandths(logits_V)
    assert found_C is not None
    assert float(found_C[500]) == pytest.approx(1)
    assert float(found_C.sum()) == pytest.approx(1)


def test_a_reply_that_is_begun_for_the_model_goes_on_as_its_own_did(counting_engine: Engine) -> None:
    whole = counting_engine.generate(ASK, SHORT)
    start = "".join(token.text for token in whole.tokens[:1])
    if counting_engine.tokenizer.encode(start) == [whole.tokens[0].id]:
        begun = [*ASK, Message("assistant", (start,), open=True)]
        rest = counting_engine.generate(begun, replace(SHORT, max_new_tokens=2))
        assert [token.id for token in rest.tokens] == [token.id for token in whole.tokens[1:3]]


def test_a_vocabulary_without_such_tokens_shows_no_numbers(engine: Engine) -> None:
    assert engine.number_ids is None
    assert all(token.numbers is None for token in engine.generate(ASK, SHORT).tokens)


def test_watched_tokens_are_told_with_their_probabilities_at_every_step(engine: Engine) -> None:
    plain = engine.generate(ASK, SHORT).tokens
    chosen = plain[0].id
    watching = engine.generate(ASK, replace(SHORT, watch_ids=(chosen, 7))).tokens
    assert [token.id for token in watching] == [token.id for token in plain]
    assert [token.watched for token in plain] == [()] * len(plain)
    assert watching[0].watched[0] == pytest.approx(math.exp(watching[0].logprob or 0.0), abs=1e-5)
    assert all(len(token.watched) == 2 and min(token.watched) >= 0 for token in watching)


def test_the_likeliest_tokens_are_told_beside_each_as_the_whole_vocabulary_would_have_it(engine: Engine) -> None:
    vocab_size = engine.tokenizer.vocab_size
    every = tuple(range(vocab_size))
    plain = engine.generate(ASK, SHORT).tokens
    told = engine.generate(ASK, replace(SHORT, top_logprobs=5, watch_ids=every)).tokens
    assert [token.id for token in told] == [token.id for token in plain]
    assert [token.top for token in plain] == [()] * len(plain)
    for token in told:
        assert token.top[0] == (token.id, pytest.approx(token.logprob, abs=1e-5)), "greedy takes the best"
        assert [math.exp(logprob) for _, logprob in token.top] == pytest.approx(sorted(token.watched)[:-6:-1], abs=1e-6)
        assert [token.watched[one] for one, _ in token.top] == sorted(token.watched)[:-6:-1]
    (most, *_) = engine.generate(ASK, replace(SHORT, top_logprobs=10**6)).tokens
    assert len(most.top) == vocab_size - 1, "all but the placeholder of pictures"


def test_a_calibration_beside_the_weights_is_read_with_them(folder: Path, tmp_path: Path) -> None:
    assert load(folder, device="cpu").calibration is None
    calibrated = tmp_path / "calibrated"
    shutil.copytree(folder, calibrated)
    Calibration({"point": Curve(0.5, {"x": 1.0})}).save(calibrated)
    read = load(calibrated, device="cpu").calibration
    assert read is not None
    assert read.curves["point"] == Curve(0.5, {"x": 1.0})
