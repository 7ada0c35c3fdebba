"""Tokens of a batch: what they take is counted from the model's shape."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.engines import budget

# SmolLM2-135M, by its config.json.
SMALL = SimpleNamespace(
    num_attention_heads=9,
    num_key_value_heads=3,
    hidden_size=576,
    num_hidden_layers=30,
    intermediate_size=1536,
)


def test_a_token_keeps_keys_and_values_of_every_layer() -> None:
    kept = 2 * 30 * 3 * 64 * 2
    assert kept == 23_040, "bytes in bfloat16"
    assert budget.token_bytes(SMALL, 2) == 2 * kept + 2 * (8 * 576 + 3 * 1536)


def test_more_memory_or_fewer_bytes_a_number_hold_more_tokens() -> None:
    some = budget.tokens(SMALL, 2, 1 << 30, "cpu")
    assert budget.tokens(SMALL, 2, 1 << 31, "cpu") == pytest.approx(2 * some, abs=2)
    assert budget.tokens(SMALL, 4, 1 << 30, "cpu") == pytest.approx(some / 2, abs=2)
    much = [budget.tokens(SMALL, 2, 1 << 40, device) for device in ("cpu", "cuda:1")]
    assert much[0] == budget.ENOUGH["cpu"] < much[1], "enough is enough"
    assert budget.tokens(SMALL, 2, 0, "cpu") == 1, "one row is tried, whatever is said to be free"


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("psutil", reason="the extra 'local' is not installed")
    monkeypatch.setattr(budget, "CGROUP", tmp_path)
    everything = budget.free_bytes("cpu")
    assert everything > 10_000_000
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.max").write_text("9000000\n")
    assert budget.free_bytes("cpu") == 5_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert budget.free_bytes("cpu") > 10_000_000
