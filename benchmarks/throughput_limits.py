"""What this machine could do at most: reading weights from memory, and multiplying in bf16."""

from __future__ import annotations

import time
from dataclasses import dataclass

# SmolLM2-135M: 134.5 million weights, the vocabulary's matrix (49,152 x 576) once, as the head.
WEIGHTS = 134_515_008
HEAD = 49_152 * 576
BYTES = 2


@dataclass(frozen=True)
class Limits:
    """Measured on the same number of threads as the sides have."""

    bytes_a_second: float
    operations_a_second: float

    def of(self, work: str, batch: int) -> tuple[float, str]:
        """Most tokens a second, and what bounds them. Keys and values, the softmax and all that
        is not a product with weights are left out: no real engine gets there."""
        if work == "prefill":
            # The head is needed at one place a prompt.
            return self.operations_a_second / (2 * (WEIGHTS - HEAD)), "arithmetic"
        reading = WEIGHTS * BYTES / self.bytes_a_second
        multiplying = 2 * WEIGHTS * batch / self.operations_a_second
        if reading > multiplying:
            return batch / reading, "memory"
        return batch / multiplying, "arithmetic"

    def __str__(self) -> str:
        return (
            f"memory is read at {self.bytes_a_second / 1e9:.1f} GB/s, bf16 products run at "
            f"{self.operations_a_second / 1e12:.2f} TFLOP/s"
        )


def measured(threads: int) -> Limits:
    """The best of several tries each: a limit is what was reached at least once."""
    import torch

    torch.set_num_threads(threads)
    # Larger than any cache.
    many = torch.ones(1 << 28, dtype=torch.float32)
    square = torch.ones(2048, 2048, dtype=torch.bfloat16)
    reading = min(_seconds(many.sum) for _ in range(5))
    multiplying = min(_seconds(lambda: square @ square) for _ in range(10))
    return Limits(many.numel() * 4 / reading, 2 * 2048**3 / multiplying)


def _seconds(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started
