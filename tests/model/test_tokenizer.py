from __future__ import annotations

import base64
import json
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moonhand.model import BadTokenizer, StreamDecoder, Tokenizer, write_tiktoken_model
from moonhand.model.tokenizer import RUN_CHARACTERS, SPECIAL_OFFSETS

BYTES = [bytes([byte]) for byte in range(256)]
TOKENIZER = Tokenizer([*BYTES, b"th", b"the", b" the", b"12", b"123", b"1234", "漢".encode()[:2], "漢".encode()])
ANY_TEXT = st.text() | st.lists(st.sampled_from([*SPECIAL_OFFSETS, "the ", "漢字", "1234", "\n\n", " "])).map("".join)


@given(ANY_TEXT)
def test_any_text_round_trips_and_never_yields_a_control_token(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert all(0 <= token < TOKENIZER.num_base for token in ids)


@given(ANY_TEXT)
def test_a_stream_of_single_ids_gives_the_same_text(text: str) -> None:
    stream = StreamDecoder(TOKENIZER)
    assert "".join(stream.push(token) for token in TOKENIZER.encode(text)) == text


@given(st.binary())
def test_any_bytes_decode_to_some_text(data: bytes) -> None:
    assert TOKENIZER.decode_bytes(list(data)) == data
    assert TOKENIZER.decode(list(data)) == data.decode("utf-8", errors="replace")


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert TOKENIZER.decode(TOKENIZER.encode("a\ud800b")) == "a\N{REPLACEMENT CHARACTER}b"


def test_a_character_appears_with_its_last_byte() -> None:
    stream = StreamDecoder(TOKENIZER)
    assert [stream.push(token) for token in "é!".encode()] == ["", "é", "!"]


def test_control_tokens_lie_behind_the_vocabulary_at_the_familys_offsets() -> None:
    base = TOKENIZER.num_base
    assert (TOKENIZER.bos, TOKENIZER.eos, TOKENIZER.im_end) == (base, base + 1, base + 2)
    assert (TOKENIZER.im_user, TOKENIZER.im_assistant, TOKENIZER.im_system) == (base + 3, base + 4, base + 10)
    assert (TOKENIZER.im_middle, TOKENIZER.media_start, TOKENIZER.media_content) == (base + 17, base + 18, base + 19)
    assert (TOKENIZER.media_end, TOKENIZER.media_pad) == (base + 20, base + 21)
    assert (TOKENIZER.unk, TOKENIZER.pad, TOKENIZER.vocab_size) == (base + 254, base + 255, base + 256)


def test_an_unnamed_slot_is_called_after_its_id() -> None:
    token = TOKENIZER.num_base + 5
    assert TOKENIZER.special(f"<|reserved_token_{token}|>") == token


def test_an_unknown_control_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no control token is named '<think>'"):
        TOKENIZER.special("<think>")


def test_control_tokens_vanish_from_text_unless_asked_for() -> None:
    ids = [TOKENIZER.im_user, *TOKENIZER.encode("the"), TOKENIZER.im_end]
    assert TOKENIZER.decode(ids) == "the"
    assert TOKENIZER.decode(ids, show_control=True) == "<|im_user|>the<|im_end|>"


def test_an_id_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match=f"token id {TOKENIZER.vocab_size} lies outside"):
        TOKENIZER.decode([TOKENIZER.vocab_size])


def test_merges_follow_the_rank_and_stay_inside_a_word() -> None:
    assert TOKENIZER.encode("the the") == [257, 258]
    assert TOKENIZER.encode("th e") == [256, 32, ord("e")]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("漢字ab", ["漢字", "ab"]),
        ("don't HELLO'LL x", ["don't", " HELLO'LL", " x"]),
        ("fooBar FOOBar", ["foo", "Bar", " FOOBar"]),
        ("12345", ["123", "45"]),
        ("a==b\n\nc", ["a", "==", "b", "\n\n", "c"]),
        ("x   y  \n z", ["x", "  ", " y", "  \n", " z"]),
        ("#tag", ["#tag"]),
    ],
)
def test_text_is_cut_into_words_as_the_family_cuts_it(text: str, pieces: list[str]) -> None:
    tokenizer = Tokenizer([*BYTES, *_every_merge(pieces)])
    assert [tokenizer.decode([token]) for token in tokenizer.encode(text)] == pieces


def _every_merge(pieces: list[str]) -> list[bytes]:
    """All prefixes of all pieces: a piece then merges into one token, and nothing merges across pieces."""
    prefixes = {piece.encode()[:end]: None for piece in pieces for end in range(2, len(piece.encode()) + 1)}
    across = {left.encode() + right.encode(): None for left, right in pairwise(pieces)}
    return [*prefixes, *(both for both in across if both not in prefixes)]


def test_a_long_text_without_breaks_is_cut_and_still_round_trips() -> None:
    text = "the" * 30_000 + " " * 60_000 + "=" * 400_001
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.encode("t" * RUN_CHARACTERS + "the") == [ord("t")] * RUN_CHARACTERS + [257]


def test_a_written_vocabulary_loads_again(tmp_path: Path) -> None:
    write_tiktoken_model([*BYTES, b"th", b"the"], tmp_path / "tiktoken.model")
    loaded = Tokenizer.load(tmp_path)
    assert loaded.num_base == 258
    assert loaded.encode("the") == [257]


def test_a_tokenizer_travels_to_another_process() -> None:
    copy: Tokenizer = pickle.loads(pickle.dumps(TOKENIZER))
    assert copy.encode("the 漢") == TOKENIZER.encode("the 漢")


def _lines(*extra: str) -> str:
    base = [f"{_b64(token)} {rank}" for rank, token in enumerate(BYTES)]
    return "\n".join([*base, *extra]) + "\n"


def _b64(token: bytes) -> str:
    return base64.b64encode(token).decode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_lines("dGg="), r"line 257: expected `base64 rank`"),
        (_lines("dGg= x"), r"line 257: expected `base64 rank`"),
        (_lines("dGg 256"), r"line 257: b'dGg' is not base64"),
        (_lines("dGg= 255"), r"line 257: rank 255 is given a second time"),
        (_lines("YQ== 256"), r"line 257: the token of line 98 is given a second time"),
        (_lines("dGg= 300"), r"none of rank 256: truncated"),
        ("YQ== 0\n", r"lacks 255 single bytes, the first is 0x00"),
        ("", r"none of rank 0"),
        ("\x00\xff" * 50, r"line 1: expected"),
    ],
)
def test_a_bad_vocabulary_file_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "tiktoken.model").write_text(content, encoding="latin-1")
    with pytest.raises(BadTokenizer, match=message):
        Tokenizer.load(tmp_path)


def test_a_missing_vocabulary_file_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(BadTokenizer, match=r"tiktoken\.model does not exist"):
        Tokenizer.load(tmp_path)


def _folder_with_names(folder: Path, config: object) -> Path:
    write_tiktoken_model(BYTES, folder / "tiktoken.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_tokenizer_config_names_the_slots_it_lists(tmp_path: Path) -> None:
    names = {"256": {"content": "[BOS]"}, "265": {"content": "<|extra|>"}}
    loaded = Tokenizer.load(_folder_with_names(tmp_path, {"added_tokens_decoder": names, "bos_token": "[BOS]"}))
    assert (loaded.bos, loaded.special("<|extra|>"), loaded.im_end) == (256, 265, 258)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "expected an object"),
        ({"added_tokens_decoder": []}, "expected an object"),
        ({"added_tokens_decoder": {"x": {"content": "a"}}}, "has no id or no content"),
        ({"added_tokens_decoder": {"300": "a"}}, "has no id or no content"),
        ({"added_tokens_decoder": {"163584": {"content": "[BOS]"}}}, "outside 256 to 511: does this file belong"),
        ({"added_tokens_decoder": {"258": {"content": "<|other|>"}}}, r"slot 2 should be <\|im_end\|>"),
        ({"added_tokens_decoder": {"300": {"content": "a"}, "301": {"content": "a"}}}, "share one name"),
        ({"added_tokens_decoder": {"300": {"content": "[PAD]"}, "511": {"content": "[PAD]"}}}, "share one name"),
    ],
)
def test_a_contradictory_tokenizer_config_is_refused(tmp_path: Path, config: object, message: str) -> None:
    with pytest.raises(BadTokenizer, match=message):
        Tokenizer.load(_folder_with_names(tmp_path, config))
