"""Secrets as text: names in, values out, and back again."""

import html
import json
import sys
from collections.abc import Callable
from types import ModuleType
from urllib.parse import quote, quote_plus, urlencode

import pytest
from moonhand.envs import SecretLookup, UnsupportedAction, find_secret
from moonhand.envs.secrets import Secrets, without_secrets

HARD = 'p&ss w"\u00f6rd\\/<%41>'


@pytest.fixture
def secrets() -> Secrets:
    values: SecretLookup = {"hard": HARD, "plain": "hunter2-xyz", "nested": "{{secret:plain}}", "pin": "07"}.get
    return Secrets(values)


def test_values_stand_in_for_names_and_are_never_read_as_names(secrets: Secrets) -> None:
    assert secrets.fill("a{{secret:plain}}b{{secret:nested}}") == "ahunter2-xyzb{{secret:plain}}"
    assert secrets.fill("{{other:plain}} { {secret:plain}}") == "{{other:plain}} { {secret:plain}}"
    assert secrets.values == ("hunter2-xyz", "{{secret:plain}}")


@pytest.mark.parametrize(
    "text", ["{{secret:{{secret:plain}}}}", "{{secret:a b}}", "{{secret:}}", "{{ secret:plain}}", "{{SECRET:plain}}"]
)
def test_what_only_looks_like_a_name_is_refused(secrets: Secrets, text: str) -> None:
    with pytest.raises(UnsupportedAction, match="does not name a secret: write"):
        secrets.fill(text)
    assert secrets.values == ()


def test_an_unknown_name_says_where_to_put_the_secret(secrets: Secrets) -> None:
    with pytest.raises(
        UnsupportedAction, match=r"no secret 'shop\.pass-word'.*MOONHAND_SECRET_SHOP_PASS_WORD.*`keyring set moonhand"
    ):
        secrets.fill("{{secret:plain}}{{secret:shop.pass-word}}")
    assert secrets.values == (), "nothing was filled in"


FORMS: tuple[Callable[[str], str], ...] = (
    str, quote, lambda text: quote(text, safe=""), quote_plus, lambda text: quote(quote(text)), json.dumps,
    lambda text: json.dumps(json.dumps(text)), repr, ascii, html.escape, str.upper, str.swapcase,
    lambda text: urlencode({"q": text}), lambda text: "".join(f"&#{ord(each)};" for each in text),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_hidden_in_every_form(secrets: Secrets, form: Callable[[str], str]) -> None:
    secrets.fill("{{secret:hard}} {{secret:plain}}")
    for value, name in ((HARD, "hard"), ("hunter2-xyz", "plain")):
        shown = form(value)
        hidden = secrets.mask(f"it is {shown}.")
        assert hidden.removeprefix("it is ").removesuffix(".").strip("'\"\\=q") == f"{{{{secret:{name}}}}}"


def test_json_is_hidden_through_and_through(secrets: Secrets) -> None:
    said = {"hunter2-xyz": [1, None, "x hunter2-xyz", {"a": "hunter2-xyz"}]}
    assert secrets.mask_all(said) == said, "nothing was typed yet"
    secrets.fill("{{secret:plain}}")
    assert "hunter2" not in json.dumps(secrets.mask_all(said))


def test_a_short_value_is_hidden_only_where_it_stands_alone(secrets: Secrets) -> None:
    secrets.fill("{{secret:pin}}")
    assert secrets.mask("pin 07, 2007, 07:15") == "pin {{secret:pin}}, 2007, {{secret:pin}}:15"


def test_the_environment_comes_before_the_keyring_and_no_keyring_is_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(ModuleType):
        class errors:  # noqa: N801 - a module
            class KeyringError(Exception):
                pass

        def get_password(self, service: str, name: str) -> str:
            if name == "locked":
                raise self.errors.KeyringError
            return f"{service}/{name}"

    broken = Broken("keyring")
    monkeypatch.setitem(sys.modules, "keyring", broken)
    monkeypatch.setitem(sys.modules, "keyring.errors", broken.errors)
    monkeypatch.setenv("MOONHAND_SECRET_SHOP_A", "from outside")
    assert find_secret("shop.a") == "from outside"
    assert find_secret("other") == "moonhand/other"
    assert find_secret("locked") is None
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert find_secret("other") is None


def test_programs_that_we_start_get_no_secrets() -> None:
    assert without_secrets({"MOONHAND_SECRET_A": "x", "moonhand_secret_b": "x", "HOME": "/"}) == {"HOME": "/"}
