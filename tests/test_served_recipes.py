"""Recipes of variants on a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.recipes import load_variant, variant_from_dict, variant_to_dict
from harness.types import Adapter, Server, Variant

URL = 'base_url = "http://localhost:8000/v1"\n'
MODEL = 'model = "served-base"\n'
SERVER = MODEL + "[server]\n" + URL


def load(folder: Path, text: str) -> Variant:
    file = folder / "v.toml"
    file.write_text(text, "utf-8")
    return load_variant(file, model="./the-suite-s-base")


def test_a_served_base_is_named_as_the_server_names_it(tmp_path: Path) -> None:
    found = load(tmp_path, SERVER)
    assert found == Variant(
        "v", "served-base", precision="served", server=Server("http://localhost:8000/v1")
    )
    assert variant_from_dict(variant_to_dict(found)) == found


def test_every_key_arrives(tmp_path: Path) -> None:
    adapter = tmp_path / "trained"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}", "utf-8")
    found = load(
        tmp_path,
        SERVER
        + 'api = "completions"\ntokenizer = "./tok"\napi_key_env = "MY_KEY"\nconcurrency = 4\n'
        + "timeout_s = 9\nmax_retries = 0\n[server.extra_body]\ncache_salt = 'x'\n"
        + "[server.extra_body.chat_template_kwargs]\nenable_thinking = false\n"
        + '[adapter]\nserved = "tuned"\npath = "./trained"\n',
    )
    assert found.server == Server(
        "http://localhost:8000/v1",
        api="completions",
        tokenizer=str(tmp_path / "tok"),
        api_key_env="MY_KEY",
        concurrency=4,
        timeout_s=9.0,
        max_retries=0,
        extra_body={"cache_salt": "x", "chat_template_kwargs": {"enable_thinking": False}},
    )
    assert found.adapter == Adapter(path=str(adapter), served="tuned")
    assert variant_from_dict(variant_to_dict(found)) == found


def test_a_variant_made_in_python_gets_the_server_s_precision() -> None:
    made = Variant("v", "served-base", server=Server("http://localhost:8000/v1"))
    assert variant_from_dict(variant_to_dict(made)).precision == "served"


SECRET = "sk-1234567890"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\n" + URL, "no model: write model = .* as the server calls it"),
        (MODEL + "[server]\n", "'base_url' is missing"),
        (MODEL + '[server]\nbase_url = "localhost:8000"\n', "must be an address like"),
        (MODEL + f'[server]\nbase_url = "http://me:{SECRET}@host/v1"\n', "no user, password"),
        (MODEL + f'[server]\nbase_url = "http://host/v1?key={SECRET}"\n', "no user, password"),
        (SERVER + f'api_key_env = "{SECRET}"\n', "name of an environment variable, not a key"),
        (SERVER + f'api_key = "{SECRET}"\n', "unknown key 'api_key'.*Did you mean 'api_key_env'"),
        (SERVER + 'api = "responses"\n', "api = 'responses' is not known"),
        (SERVER + 'api = "completions"\n', "'completions' needs tokenizer"),
        (SERVER + 'tokenizer = "./t"\n', "tokenizer has no effect with api = 'chat'"),
        (SERVER + "concurrency = 0\n", "concurrency must be between 1 and 1024"),
        (SERVER + "timeout_s = 0\n", "timeout_s must be above 0"),
        (SERVER + "[server.extra_body]\ntemperature = 1\n", "'temperature' is set by the harness"),
        (SERVER + "[server.extra_body]\nday = 2026-01-01\n", "extra_body must be JSON"),
        ('precision = "nf4"\n' + SERVER, "precision = 'nf4' has no effect on a server"),
        ('precision = "served"\nmodel = "./x"\n', "precision = 'served' is that of a server"),
        (SERVER + "[adapter]\nlora_r = 4\n", "on a server an adapter has the keys 'served'"),
        ('adapter = "tuned"\n' + SERVER, "on a server an adapter has the keys 'served'"),
        (SERVER + '[adapter]\nserved = "served-base"\n', "is the base's own name"),
        (SERVER + "[adapter]\nserved = ''\n", "served must be the adapter's name"),
        (SERVER + '[adapter]\nserved = "a"\npath = "nowhere"\n', "is not a trained adapter"),
        ('model = "./x"\n[adapter]\nserved = "a"\n', "variant has no table .server."),
    ],
)
def test_what_cannot_be_is_refused_and_no_key_is_shown(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SuiteError, match=said) as error:
        load(tmp_path, text)
    assert SECRET not in str(error.value)
