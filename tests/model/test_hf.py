"""Kimi-VL through transformers' Auto classes, beside this package's own tokens, pictures, logits and engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hf_folders import FOLDER_FILES, published_folder, transformers_of
from moonhand.model import (
    BadConfig,
    Engine,
    KimiVL,
    KimiVLConfig,
    Message,
    NoDevice,
    Picture,
    SamplingConfig,
    Tokenizer,
    load,
    load_model,
    preprocess,
    render,
    write_tiktoken_model,
)
from moonhand.model.engine import checkpoint_folder
from moonhand.model.errors import BadCheckpoint, ContextTooLong
from moonhand.model.prompt import stack_patches
from moonhand.model.quantized_checkpoint import quantize_checkpoint
from PIL import Image, ImageDraw

DOCS = Path(__file__).parents[2] / "docs" / "transformers.md"
LOGITS_ATOL = 2e-5  # fp32, the same modules, sums in another order; logits are of order 1


@pytest.fixture(scope="module")
def folder(tiny_model: KimiVL, small_tokens: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_folder(tiny_model, small_tokens, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def transformers() -> Any:
    return transformers_of()


@pytest.fixture(scope="module")
def model(transformers: Any, folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.fixture(scope="module")
def processor(transformers: Any, folder: Path) -> Any:
    return transformers.AutoProcessor.from_pretrained(folder)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return load(folder, device="cpu", dtype="float32")


def _picture(width_px: int, height_px: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    return Image.fromarray(pixels)


def _asked(text: str, pictures: int = 1) -> list[dict[str, Any]]:
    """One user turn as the model cards write it."""
    seen = [{"type": "image", "image": f"{number}.png"} for number in range(pictures)]
    return [{"role": "user", "content": [*seen, {"type": "text", "text": text}]}]


def _ours(text: str, pictures: Sequence[Image.Image]) -> list[Message]:
    return [Message("user", (*(Picture(np.asarray(each)) for each in pictures), text))]


def _inputs(processor: Any, questions: Sequence[tuple[str, Sequence[Image.Image]]]) -> Any:
    texts = [
        processor.apply_chat_template(_asked(text, len(seen)), add_generation_prompt=True) for text, seen in questions
    ]
    pictures = [each for _, seen in questions for each in seen]
    return processor(images=pictures or None, text=texts, return_tensors="pt", padding=True, truncation=True)


def _said(engine: Engine, out: Any, inputs: Any) -> list[list[int]]:
    """What was generated, up to the token that ended it."""
    replies: list[list[int]] = []
    for row in out[:, inputs["input_ids"].shape[1] :].tolist():
        ends = [at for at, token in enumerate(row) if token in (engine.tokenizer.im_end, engine.tokenizer.eos)]
        replies.append(row[: ends[0]] if ends else row)
    return replies


def _engine_says(engine: Engine, questions: Sequence[tuple[str, Sequence[Image.Image]]], count: int) -> list[list[int]]:
    sampling = SamplingConfig(max_new_tokens=count)
    return [[token.id for token in engine.generate(_ours(text, seen), sampling).tokens] for text, seen in questions]


CONVERSATIONS: list[list[dict[str, Any]]] = [
    _asked("What is in the picture?"),
    _asked("Compare them.", pictures=3),
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "the user's image"}],
    [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image", "image": "x"}]},
        {"role": "assistant", "content": "the thing\n\n there"},
        {"role": "user", "content": [{"type": "image_url", "image_url": "y"}, {"type": "text", "text": " 次 é"}]},
    ],
]


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_the_template_s_ids_are_those_of_the_prompt(
    conversation: list[dict[str, Any]], processor: Any, tokenizer: Tokenizer
) -> None:
    messages: list[Message] = []
    for turn in conversation:
        parts = [{"type": "text", "text": turn["content"]}] if isinstance(turn["content"], str) else turn["content"]
        blank = Picture(np.zeros((20, 20, 3), np.uint8))
        messages.append(Message(turn["role"], tuple(part.get("text", blank) for part in parts)))
    pictures = sum(len(message.pictures) for message in messages)
    text = processor.apply_chat_template(conversation, add_generation_prompt=True)
    images = [_picture(28 * (at + 1), 28) for at in range(pictures)]
    ids = processor(images=images or None, text=text)["input_ids"][0]
    assert ids == render(messages, tokenizer, [at + 1 for at in range(pictures)])


def test_the_built_in_template_is_the_published_one(processor: Any, transformers: Any, tmp_path: Path) -> None:
    from moonhand.model.hf_tokenizer import CHAT_TEMPLATE

    for conversation in CONVERSATIONS:
        said = processor.apply_chat_template(conversation, add_generation_prompt=True)
        assert processor.apply_chat_template(conversation, CHAT_TEMPLATE, add_generation_prompt=True) == said


def test_a_conversation_with_its_pictures_becomes_inputs_in_one_call(processor: Any, tmp_path: Path) -> None:
    picture = _picture(60, 40)
    picture.save(tmp_path / "screen.png")
    asked = _asked("What is this?")
    asked[0]["content"][0] = {"type": "image", "path": str(tmp_path / "screen.png")}
    made = processor.apply_chat_template(
        asked, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    expected = _inputs(processor, [("What is this?", [picture])])
    assert set(made) == set(expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(made[name], tensor, rtol=0, atol=0)


def test_text_goes_there_and_back(processor: Any, tokenizer: Tokenizer) -> None:
    for text in ("the user's <|im_end|>image", "次 é\n\n  x", "", "[EOS][PAD]<|reserved_token_300|>"):
        ids = processor.tokenizer(text)["input_ids"]
        assert processor.tokenizer.decode(ids) == text
        plain = processor.tokenizer(text, split_special_tokens=True)["input_ids"]
        assert plain == tokenizer.encode(text)
        assert processor.tokenizer.convert_tokens_to_ids(processor.tokenizer.convert_ids_to_tokens(ids)) == ids
    ids = [tokenizer.im_user, *tokenizer.encode("the"), tokenizer.im_end]
    assert processor.batch_decode([ids], skip_special_tokens=True, clean_up_tokenization_spaces=False) == ["the"]
    assert len(processor.tokenizer) == len(processor.tokenizer.get_vocab()) == tokenizer.vocab_size


def test_pixel_values_are_those_of_the_engine(processor: Any, tiny_config: KimiVLConfig) -> None:
    pictures = [_picture(60, 40), _picture(301, 199), _picture(50, 90).convert("RGBA"), _picture(30, 30).convert("P")]
    features = processor.image_processor(pictures, return_tensors="pt")
    patches = [preprocess(picture, tiny_config.image) for picture in pictures]
    torch.testing.assert_close(features["pixel_values"], stack_patches(patches, tiny_config), rtol=0, atol=0)
    assert features["image_grid_hws"].tolist() == [list(each.grid_hw) for each in patches]
    arrays = [np.asarray(pictures[0]), torch.from_numpy(np.array(pictures[1])).permute(2, 0, 1)]
    again = processor.image_processor([arrays[0], [arrays[1]]], return_tensors="pt")
    torch.testing.assert_close(again["pixel_values"], stack_patches(patches[:2], tiny_config), rtol=0, atol=0)


def test_a_picture_without_its_placeholder_is_refused(processor: Any) -> None:
    with pytest.raises(ValueError, match=r"the text has 1 <\|media_pad\|> and 2 pictures"):
        processor(images=[_picture(28, 28)] * 2, text="<|media_pad|>")


def test_logits_are_those_of_the_model(model: Any, processor: Any, tiny_model: KimiVL) -> None:
    inputs = _inputs(processor, [("Compare", [_picture(60, 40), _picture(90, 130, 1)])])
    with torch.no_grad():
        out = model(**inputs)
        expected = tiny_model(inputs["input_ids"], inputs["pixel_values"], inputs["image_grid_hws"])
    assert expected.std() > 0.1
    torch.testing.assert_close(out.logits, expected, rtol=0, atol=LOGITS_ATOL)
    assert out.past_key_values is None
    cached = model(**inputs, use_cache=True)
    torch.testing.assert_close(cached.logits, expected, rtol=0, atol=LOGITS_ATOL)
    last = model(**inputs, use_cache=True, logits_to_keep=1).logits
    torch.testing.assert_close(last, expected[:, -1:], rtol=0, atol=LOGITS_ATOL)
    longer = torch.cat((inputs["input_ids"], torch.tensor([[7, 8, 9]])), dim=1)
    with torch.no_grad():
        whole = tiny_model(longer, inputs["pixel_values"], inputs["image_grid_hws"])
    more = model(longer[:, -3:], past_key_values=cached.past_key_values)
    torch.testing.assert_close(more.logits, whole[:, -3:], rtol=0, atol=LOGITS_ATOL)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_no_logits(side: str, model: Any, processor: Any) -> None:
    questions = [("a", [_picture(60, 40)]), ("a much longer question", [_picture(90, 130, 1), _picture(28, 28)])]
    texts = [processor.apply_chat_template(_asked(text, len(seen))) for text, seen in questions]
    pictures = [each for _, seen in questions for each in seen]
    inputs = processor(images=pictures, text=texts, return_tensors="pt", padding=True, padding_side=side)
    with torch.no_grad():
        together = model(**inputs).logits
        for row, (text, (_, seen)) in enumerate(zip(texts, questions, strict=True)):
            alone = model(**processor(images=seen, text=text, return_tensors="pt")).logits[0]
            there = inputs["attention_mask"][row].bool()
            torch.testing.assert_close(together[row][there], alone, rtol=0, atol=LOGITS_ATOL)


QUESTIONS: list[tuple[str, list[Image.Image]]] = [
    ("What is the thing?", [_picture(60, 40)]),
    ("Compare the two of them, please", [_picture(90, 130, 1), _picture(28, 28, 2)]),
    ("no picture", []),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=["one picture", "two pictures", "text"])
def test_greedy_replies_are_the_engine_s_token_for_token(
    question: tuple[str, list[Image.Image]], model: Any, processor: Any, engine: Engine
) -> None:
    inputs = _inputs(processor, [question])
    out = model.generate(**inputs, max_new_tokens=24, do_sample=False)
    assert _said(engine, out, inputs) == _engine_says(engine, [question], 24)


def test_a_batch_with_padding_on_the_left_is_answered_as_each_alone(model: Any, processor: Any, engine: Engine) -> None:
    inputs = _inputs(processor, QUESTIONS)
    assert inputs["attention_mask"][:, 0].tolist() != [1, 1, 1]
    out = model.generate(**inputs, max_new_tokens=16, do_sample=False)
    said = _said(engine, out, inputs)
    assert said == _engine_says(engine, QUESTIONS, 16)
    assert all(len(reply) > 4 for reply in said)


def test_sampling_repeats_itself_and_gives_several_replies(model: Any, processor: Any, transformers: Any) -> None:
    inputs = _inputs(processor, QUESTIONS[:2])
    sampled: list[torch.Tensor] = []
    for _ in range(2):
        transformers.set_seed(5)
        sampled.append(model.generate(**inputs, max_new_tokens=8, do_sample=True, top_p=0.9, num_return_sequences=3))
    assert sampled[0].shape[0] == 6
    assert torch.equal(*sampled)
    assert len({tuple(row) for row in sampled[0][:3].tolist()}) > 1


@pytest.mark.slow
def test_beams_and_lookup_say_what_they_say_without_a_cache(model: Any, processor: Any) -> None:
    inputs = _inputs(processor, QUESTIONS[:2])
    beams = [model.generate(**inputs, max_new_tokens=8, num_beams=3, use_cache=cached) for cached in (True, False)]
    assert torch.equal(*beams)
    one = _inputs(processor, QUESTIONS[:1])
    plain = model.generate(**one, max_new_tokens=12, do_sample=False)
    looked_up = model.generate(**one, max_new_tokens=12, do_sample=False, prompt_lookup_num_tokens=3)
    assert torch.equal(plain, looked_up)


def test_a_reply_goes_on_from_a_kept_cache(model: Any, processor: Any) -> None:
    inputs = _inputs(processor, QUESTIONS[:1])
    whole = model.generate(**inputs, max_new_tokens=10, do_sample=False, eos_token_id=[])
    first = model.generate(**inputs, max_new_tokens=4, do_sample=False, eos_token_id=[], return_dict_in_generate=True)
    rest = model.generate(
        first.sequences, past_key_values=first.past_key_values, max_new_tokens=6, do_sample=False, eos_token_id=[]
    )
    assert torch.equal(rest, whole)


def test_a_saved_folder_is_a_checkpoint_for_both(
    model: Any, processor: Any, transformers: Any, folder: Path, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    saved, given = load_model(tmp_path), load_model(folder)
    assert saved.config == given.config
    for name, tensor in given.state_dict().items():
        torch.testing.assert_close(saved.state_dict()[name], tensor, rtol=0, atol=0)
    names = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert names["tokenizer_class"] == "TikTokenTokenizer"
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    reader = transformers.AutoProcessor.from_pretrained(tmp_path)
    assert reader.image_processor.to_dict() == processor.image_processor.to_dict()
    inputs, expected = _inputs(reader, QUESTIONS[:2]), _inputs(processor, QUESTIONS[:2])
    for name, tensor in expected.items():
        torch.testing.assert_close(inputs[name], tensor, rtol=0, atol=0)
    assert torch.equal(again.generate(**inputs, max_new_tokens=5), model.generate(**inputs, max_new_tokens=5))
    assert load(tmp_path, device="cpu").config.image == given.config.image


def test_the_folder_s_own_code_is_never_run(transformers: Any, folder: Path) -> None:
    """The folder names remote code, whose files are not even there."""
    assert "auto_map" in json.loads((folder / "config.json").read_text())
    for auto in (transformers.AutoConfig, transformers.AutoModelForCausalLM, transformers.AutoProcessor):
        assert type(auto.from_pretrained(folder, trust_remote_code=True)).__module__.startswith("moonhand.model.hf_")
        assert type(auto.from_pretrained(folder)).__module__.startswith("moonhand.model.hf_")
    assert type(transformers.AutoTokenizer.from_pretrained(folder)).__module__.startswith("moonhand.model.hf_")


@pytest.mark.parametrize("arguments", [{"dtype": torch.bfloat16}, {"torch_dtype": "bfloat16", "device_map": "auto"}])
def test_the_selection_bias_stays_fp32(transformers: Any, folder: Path, arguments: dict[str, Any]) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, **arguments)
    dtypes = {name.endswith("bias") and "e_score" in name: each.dtype for name, each in model.named_parameters()}
    assert dtypes == {False: torch.bfloat16, True: torch.float32}


def test_a_folder_that_lacks_a_tensor_is_refused(transformers: Any, folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for name in FOLDER_FILES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["language_model.model.layers.1.self_attn.o_proj.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadCheckpoint, match=r"missing keys: language_model\.model\.layers\.1\.self_attn\.o_proj"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path)


def test_quantised_folders_and_other_architectures_are_refused(
    transformers: Any, folder: Path, small_tokens: list[bytes], tmp_path: Path
) -> None:
    quantize_checkpoint(folder, tmp_path / "small", "int8")
    with pytest.raises(BadConfig, match="give it the checkpoint they were made from"):
        transformers.AutoConfig.from_pretrained(tmp_path / "small")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["q_lora_rank"] = 7
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_tiktoken_model(small_tokens, tmp_path / "tiktoken.model")
    with pytest.raises(BadConfig, match="q_lora_rank = 7"):
        transformers.AutoConfig.from_pretrained(tmp_path)


def test_what_the_model_cannot_do_is_said(model: Any, processor: Any, transformers: Any) -> None:
    inputs = _inputs(processor, QUESTIONS[2:])
    with pytest.raises(TypeError, match="past_key_values is a DynamicCache, and this model keeps latents"):
        model(**inputs, past_key_values=transformers.DynamicCache())
    with pytest.raises(ValueError, match="attention weights are not made"):
        model(**inputs, output_attentions=True)
    with pytest.raises(ContextTooLong, match="over the model's 512"):
        model.generate(torch.randint(0, 256, (1, 513)), max_new_tokens=1)


def test_hidden_states_are_those_of_every_layer(model: Any, processor: Any) -> None:
    inputs = _inputs(processor, QUESTIONS[2:])
    with torch.no_grad():
        out = model(**inputs, output_hidden_states=True)
        logits = model.language_model.lm_head(out.hidden_states[-1])
    assert len(out.hidden_states) == 4
    torch.testing.assert_close(logits, out.logits, rtol=0, atol=LOGITS_ATOL)


def test_without_transformers_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from moonhand.model import hf

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"transformers is not installed: pip install 'moonhand\[hf\]'"):
        hf.register()


def test_a_decoder_over_two_devices_is_refused(transformers: Any, folder: Path, processor: Any) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.language_model.lm_head.to("meta")
    with pytest.raises(NoDevice, match="the decoder lies on cpu, meta and runs on one device"):
        model.generate(**_inputs(processor, QUESTIONS[2:]), max_new_tokens=1)


def test_importing_the_module_imports_no_transformers() -> None:
    code = "import sys, moonhand.model.hf; print([n for n in ('transformers', 'torch') if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_new_model_of_any_size_is_made_from_its_config(
    transformers: Any, tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig], KimiVL]
) -> None:
    from moonhand.model.hf_config import HFKimiVLConfig

    model = transformers.AutoModelForCausalLM.from_config(HFKimiVLConfig.of(tiny_config))
    expected = {name: tensor.shape for name, tensor in random_model(tiny_config).state_dict().items()}
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == expected


def _screen(*labels: str) -> Image.Image:
    picture = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(picture)
    for at, label in enumerate(labels):
        box = (40 + 150 * (at % 2), 40 + 100 * (at // 2), 130 + 150 * (at % 2), 74 + 100 * (at // 2))
        draw.rectangle(box, fill="#dddddd", outline="black")
        draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), label, fill="black", anchor="mm", font_size=15)
    return picture


def test_nano_says_what_the_engine_says(transformers: Any) -> None:
    """Its folder leaves blank image tokens out, and has no tokenizer_config.json."""
    nano = checkpoint_folder("nano")
    model = transformers.AutoModelForCausalLM.from_pretrained(nano, dtype=torch.float32)
    processor = transformers.AutoProcessor.from_pretrained(nano)
    engine = load("nano", device="cpu", dtype="float32")
    questions = [
        ("click Save", [_screen("Save", "Cancel", "Delete")]),
        ("click Cancel", [_screen("Cancel"), _screen("Save", "Help", "Quit", "Cancel")]),
    ]
    inputs = _inputs(processor, questions)
    assert "image_kept" in inputs
    out = model.generate(**inputs, max_new_tokens=16)
    said = _said(engine, out, inputs)
    assert said == _engine_says(engine, questions, 16)
    assert engine.tokenizer.decode(said[0]).startswith("click(x=0.2")


def test_the_documented_example_runs(
    transformers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    _screen("Save", "Cancel").save(tmp_path / "screen.png")
    monkeypatch.chdir(tmp_path)
    nano = str(checkpoint_folder("nano"))
    exec(compile(example.replace("moonshotai/Kimi-VL-A3B-Instruct", nano), str(DOCS), "exec"), {})
    assert capsys.readouterr().out.startswith("click(x=0.2")
