"""Behaviour and format: the named entities of a contract sentence, as a JSON array.

The sentences are those of OpenAI Evals' ner_finance: loan agreements filed with the SEC
(Alvarado, Verspoor and Baldwin 2015). They come from a few agreements that the data does not
tell apart, so results speak of sentences of these agreements. Parties named by their part
("Borrower", "Lender") are labelled PERSON.
"""

from __future__ import annotations

import json
import re

from harness import Data, Sample, sources
from harness.data.jsonl import read_jsonl
from harness.data.split import split

SENTENCES = (
    "pypi:evals==3.0.1.post1/evals/registry/data/ner_finance/samples.jsonl"
    "#sha256=7ffffeec797366ad631b7b57f404c73e437a15e38351895b3f71d1b030f69430"
)
TYPES = ("PERSON", "ORGANIZATION", "LOCATION")
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "type": {"enum": list(TYPES)}},
        "required": ["text", "type"],
        "additionalProperties": False,
    },
}
N_EVAL, N_TRAIN = 120, 400
MAX_CHARACTERS = 400


def data(seed: int) -> Data:
    samples = []
    for number, row in read_jsonl(sources.fetch(SENTENCES)):
        sentence = row["input"][-1]["content"]
        if len(sentence) > MAX_CHARACTERS:
            continue
        found = entities(row["ideal"])
        samples.append(
            Sample(
                id=f"line-{number}",
                input=sentence,
                targets=(json.dumps(found, ensure_ascii=False),),
                metadata={"entities": "some" if found else "none"},
            )
        )
    return split(
        samples,
        seed=seed,
        n_eval=N_EVAL,
        n_train=N_TRAIN,
        stratify="entities",
    ).data()


def entities(ideal: str) -> list[dict[str, str]]:
    """``[Bank - ORGANIZATION, Smith - PERSON]`` as JSON objects, in the sentence's order."""
    if ideal == "No entities found":
        return []
    pairs = re.findall(rf"(.+?) - ({'|'.join(TYPES)})(?:, |$)", ideal[1:-1])
    return [{"text": text, "type": kind} for text, kind in pairs]
