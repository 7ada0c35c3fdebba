from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.recipes import load_variant, variant_from_dict, variant_to_dict
from harness.types import Adapter, Generation, LoraRecipe, Retriever, Shots, Variant

BASE = "hf:owner/base"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return write(tmp_path / "trained" / "adapter_config.json", "{}").parent


FULL = """
name = "everything"
model = "./base"
precision = "fp32"
system = "Antworte kurz."
cost_per_1k_tokens = 1

[shots]
k = 4
select = "nearest"

[retriever]
kind = "dense"
k = 2
encoder = "../encoder"

[generation]
temperature = 0.7
top_p = 0.9
repeats = 3
seed = 5

[adapter]
r = 8
lora_alpha = 16
target_modules = ["q_proj", "v_proj"]
learning_rate = 1e-4
max_steps = 10
retriever_share = 0.5

[adapter.retriever]
k = 1
"""


def test_every_key_arrives(tmp_path: Path) -> None:
    variant = load_variant(write(tmp_path / "a" / "x.toml", FULL), model=BASE)
    assert variant == Variant(
        name="everything",
        model=str(tmp_path / "a" / "base"),
        precision="fp32",
        system="Antworte kurz.",
        shots=Shots(k=4, select="nearest"),
        retriever=Retriever(kind="dense", k=2, encoder=str(tmp_path / "encoder")),
        adapter=Adapter(
            recipe=LoraRecipe(
                lora_r=8,
                lora_alpha=16,
                target_modules=("q_proj", "v_proj"),
                learning_rate=1e-4,
                max_steps=10,
                retriever_share=0.5,
                retriever=Retriever(k=1),
            )
        ),
        generation=Generation(temperature=0.7, top_p=0.9, repeats=3, seed=5),
        cost_per_1k_tokens=1.0,
    )


def test_an_empty_recipe_is_a_zero_shot_variant_named_by_its_file(tmp_path: Path) -> None:
    assert load_variant(write(tmp_path / "zero_shot.toml", ""), model=BASE) == Variant(
        name="zero_shot", model=BASE
    )
    named = load_variant(write(tmp_path / "rag" / "recipe.toml", "[retriever]"), model=BASE)
    assert (named.name, named.retriever) == ("rag", Retriever())


def test_the_file_outranks_the_default_model_and_overrides_outrank_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "x.toml", 'model = "hf:a/b"\nprecision = "nf4"\n[shots]\nk = 4')
    assert load_variant(file, model=BASE).model == "hf:a/b"
    changed = load_variant(file, precision="fp32", shots={"k": 2}, name="y")
    assert (changed.precision, changed.shots, changed.name) == ("fp32", Shots(2), "y")
    assert load_variant(file, shots=None).shots is None
    assert load_variant(file, shots=Shots(3, "nearest")).shots == Shots(3, "nearest")
    adapter = Adapter(recipe=LoraRecipe(lora_r=4))
    assert load_variant(file, adapter=adapter).adapter == adapter

    monkeypatch.chdir(tmp_path)
    below = write(tmp_path / "below" / "z.toml", "")
    assert load_variant(below, model="./base").model == str(tmp_path / "base")


def test_an_adapter_can_be_that_of_another_recipe_or_a_folder(
    tmp_path: Path, trained: Path
) -> None:
    write(
        tmp_path / "lora" / "recipe.toml",
        "[adapter]\nlora_r = 4\nretriever_share = 0.5\n"
        "[adapter.retriever]\nkind = 'dense'\nencoder = './encoder'",
    )
    both = load_variant(
        write(tmp_path / "both.toml", "adapter = 'lora/recipe.toml'\n[retriever]"), model=BASE
    )
    lora = load_variant(tmp_path / "lora" / "recipe.toml", model=BASE)
    assert both.adapter == lora.adapter
    assert lora.adapter is not None
    assert lora.adapter.recipe is not None
    assert lora.adapter.recipe.retriever == Retriever(
        "dense", 3, str(tmp_path / "lora" / "encoder")
    )
    for text in ("adapter = './trained'", "adapter = 'trained'", "[adapter]\npath = 'trained'"):
        found = load_variant(write(tmp_path / "t.toml", text), model=BASE)
        assert found.adapter == Adapter(path=str(trained))
    hub = load_variant(write(tmp_path / "h.toml", "adapter = 'hf:me/lora@v1'"), model=BASE)
    assert hub.adapter == Adapter(path="hf:me/lora@v1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("presicion = 'nf4'", "unknown key 'presicion'. Did you mean 'precision'?"),
        ("[adapter]\nlora_rank = 8", "[adapter]: unknown key 'lora_rank'. Did you mean 'lora_r'?"),
        ("[adapter]\nr = 8\nlora_r = 8", "another name"),
        ("[adapter]\nlora_r = 0", "[adapter]: lora_r must be at least 1, got 0"),
        ("[adapter]\nlora_r = 8.0", "lora_r must be a whole number"),
        ("[adapter]\nlora_r = true", "lora_r must be a whole number"),
        ("[adapter]\nlearning_rate = 0", "learning_rate must be above 0"),
        ("[adapter]\nlearning_rate = nan", "learning_rate must be a finite number"),
        ("[adapter]\nmax_steps = 0", "max_steps must be at least 1, or -1"),
        ("[adapter]\ntarget_modules = []", "target_modules"),
        ("[adapter]\ntarget_modules = [1]", "target_modules must be a text, got 1"),
        ("[adapter]\nprecision = 'int4'", "'int4' is not known"),
        ("[adapter]\nretriever_share = 1.5\n[adapter.retriever]", "between 0 and 1"),
        ("[adapter]\nretriever_share = 0.5", "needs a retriever"),
        ("[adapter.retriever]\nk = 1", "no effect without retriever_share"),
        ("[adapter]\npath = 'trained'\nlora_r = 8", "no other keys"),
        ("[adapter]\npath = 3", "path must be a text"),
        ("adapter = 3", "adapter must be a table"),
        ("adapter = 'nowhere'", "not a trained adapter"),
        ("adapter = 'absent.toml'", "There is no recipe"),
        ("adapter = 'x.toml'", "leads back to itself"),
        ("adapter = 'plain.toml'", "has no adapter"),
        ("precision = 'bf61'", "Did you mean 'bf16'?"),
        ("model = 'owner/name'", "model: 'owner/name' is not a reference"),
        ("model = 3", "model must be a text, got 3"),
        ("name = 'a/b'", "without '/'"),
        ("name = ''", "name must be"),
        ("shots = 4", "shots must be a table, got 4"),
        ("[shots]", "[shots]: the key 'k' is missing"),
        ("[shots]\nk = 0", "[shots]: k must be at least 1"),
        ("[shots]\nk = 1\nselect = 'random'", "'random' is not known"),
        ("[retriever]\nk = 0", "[retriever]: k must be at least 1"),
        ("[retriever]\nkind = 'dense'", "needs an encoder"),
        ("[retriever]\nencoder = './e'", "no effect with kind = 'bm25'"),
        ("[generation]\ntop_p = 0.0", "top_p must be above 0 and at most 1"),
        ("[generation]\ntop_p = 1.1", "top_p must be above 0 and at most 1"),
        ("[generation]\ntemperature = -1", "temperature must be at least 0"),
        ("[generation]\ntemperature = inf", "temperature must be a finite number"),
        ("cost_per_1k_tokens = -0.1", "cost_per_1k_tokens must be at least 0"),
        ("name = 'a'\nsystem = \n[shots]", "line 2"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(
    tmp_path: Path, trained: Path, text: str, says: str
) -> None:
    write(tmp_path / "plain.toml", "")
    file = write(tmp_path / "x.toml", text)
    with pytest.raises(SuiteError) as error:
        load_variant(file, model=BASE)
    assert says in str(error.value)
    if "absent" not in text:
        assert "x.toml" in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="There is no recipe"):
        load_variant(tmp_path / "absent.toml", model=BASE)
    with pytest.raises(SuiteError, match="cannot be read"):
        load_variant(tmp_path, model=BASE)
    (tmp_path / "latin.toml").write_bytes("system = 'Köln'".encode("latin-1"))
    with pytest.raises(SuiteError, match="not UTF-8"):
        load_variant(tmp_path / "latin.toml", model=BASE)
    with pytest.raises(SuiteError, match="no model"):
        load_variant(write(tmp_path / "x.toml", ""))
    with pytest.raises(SuiteError, match="unknown key 'precison'"):
        load_variant(tmp_path / "x.toml", model=BASE, precison="nf4")


def test_a_variant_survives_the_way_to_json_and_back(tmp_path: Path, trained: Path) -> None:
    full = load_variant(write(tmp_path / "x.toml", FULL))
    for variant in (
        full,
        Variant("bare", BASE),
        replace(full, adapter=Adapter(path=str(trained))),
        replace(full, adapter=Adapter(recipe=LoraRecipe()), system="lone \ud83d"),
    ):
        table = json.loads(json.dumps(variant_to_dict(variant)))
        assert variant_from_dict(table) == variant
