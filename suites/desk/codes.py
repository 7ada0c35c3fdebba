"""Knowledge: the ISO 3166-2 code of a subdivision. Records and names come from pycountry.

Subdivisions are split at random, so those of a country lie on both sides of the split: the
adapter may learn a country's prefix but never an evaluated record. All records, evaluated ones
included, are the corpus: looking them up is what retrieval is for.
"""

from __future__ import annotations

import json
from collections import Counter

from harness import Data, Document, Sample, sources
from harness.data.split import split

RECORDS = (
    "pypi:pycountry==26.2.16/pycountry/databases/iso3166-2.json"
    "#sha256=78c90ef7fc25b5c2631aac5f089bc9ff6ec22c025c05b6ddbc087a1f1be2e46a"
)
COUNTRIES = (
    "pypi:pycountry==26.2.16/pycountry/databases/iso3166-1.json"
    "#sha256=f01b812b57fba9f31ff621bf33e7c7570a01964dbeb5be2167e94decf538c89f"
)
N_EVAL, N_TRAIN = 120, 400


def data(seed: int) -> Data:
    records = json.loads(sources.fetch(RECORDS).read_text("utf-8"))["3166-2"]
    countries = {
        c["alpha_2"]: c.get("common_name", c["name"])
        for c in json.loads(sources.fetch(COUNTRIES).read_text("utf-8"))["3166-1"]
    }
    # A district and its town can share a name within one country; such a question has no one
    # answer, so it is not asked. Its records stay in the corpus.
    names = Counter((r["name"], r["code"][:2]) for r in records)
    samples = [
        Sample(
            id=r["code"],
            input=f"{r['name']}, {countries[r['code'][:2]]}",
            targets=(r["code"],),
            cluster=r["code"][:2],
            metadata={"type": r["type"]},
        )
        for r in records
        if names[r["name"], r["code"][:2]] == 1
    ]
    corpus = tuple(Document(r["code"], passage(r, countries[r["code"][:2]])) for r in records)
    # Records are split, not countries: clusters are for the statistics, where a country's codes
    # are right or wrong together.
    parts = split(samples, seed=seed, n_eval=N_EVAL, n_train=N_TRAIN, group=lambda s: s.id)
    return parts.data(corpus)


def passage(record: dict[str, str], country: str) -> str:
    kind = record["type"].lower()
    return f"{record['name']} is a {kind} of {country}. Its ISO 3166-2 code is {record['code']}."
