"""How many tokens a batch may hold: from the model's shape and the memory that is free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROWS = {"cpu": 128, "mps": 64, "cuda": 256}
"""Rows of a batch at most, by kind of device."""
ENOUGH = {"cpu": 49_152, "mps": 49_152, "cuda": 1 << 30}
"""Tokens of a batch beyond which it takes more memory and hardly less time, by kind of device."""
SHARE = 0.5
"""Of the free memory, for one batch: what else grows meanwhile is not known."""
COPIES = 2
"""Rows that join are copied beside those that are there."""
CGROUP = Path("/sys/fs/cgroup")


def tokens(config: Any, itemsize: int, free_bytes: int, device: str) -> int:
    """Tokens, padding included, whose keys, values and activations fit into their share of
    ``free_bytes``; at least 1, and at most what is enough. ``itemsize``: bytes of a number at the
    model's precision."""
    fit = int(SHARE * free_bytes) // token_bytes(config, itemsize)
    return max(1, min(fit, ENOUGH[device.partition(":")[0]]))


def token_bytes(config: Any, itemsize: int) -> int:
    """What one token of a batch takes: keys and values of all layers, and the widest activations
    of the layer that is being computed."""
    heads = config.num_attention_heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    width = config.hidden_size
    head = getattr(config, "head_dim", None) or width // heads
    inner = getattr(config, "intermediate_size", None) or 4 * width
    kept = 2 * config.num_hidden_layers * key_heads * head
    passing = 8 * width + 3 * inner
    return int(itemsize * (COPIES * kept + passing))


def free_bytes(device: str) -> int:
    """Memory that is free on the device now: for a CPU what the system or this container's limit
    leaves, whichever is less."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return min([int(psutil.virtual_memory().available), *_container()])


def _container() -> list[int]:
    """Bytes left under the limit of a control group (version 2); none where there is no limit."""
    try:
        limit = int((CGROUP / "memory.max").read_text())
        return [max(0, limit - int((CGROUP / "memory.current").read_text()))]
    except (OSError, ValueError):
        return []
