"""Token ids of prompts by the tokenizer of this environment; run by ../verdict_peers.py.

python tokens.py FOLDER PROMPTS.json: JSON [[count, sha256 of the ids]] on standard output.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from transformers import AutoTokenizer


def main() -> None:
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    found = []
    for text in json.loads(Path(sys.argv[2]).read_text("utf-8")):
        ids = tokenizer(text)["input_ids"]  # special tokens as the tools leave them: by default
        found.append([len(ids), hashlib.sha256(json.dumps(ids).encode()).hexdigest()])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
