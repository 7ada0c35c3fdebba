"""Which requests go through the model together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from harness.types import Request


def batches(
    requests: Sequence[Request], *, max_rows: int, max_tokens: Callable[[], int]
) -> Iterator[list[Request]]:
    """Requests in batches of similar length, each of one adapter and one decoding setting.

    ``max_tokens()`` bounds rows x (longest prompt + new tokens), the size of the padded key-value
    cache; it is asked before each row, as it shrinks when memory runs out. The longest prompts
    come first, so that a batch that does not fit shows at once and an estimate of the time left
    errs on the safe side. A request alone over the bound gets a batch of its own.
    """
    for group in grouped(requests):
        batch: list[Request] = []
        width = 0
        for request in group:
            width = width or prompt_length(request) + request.max_new_tokens
            if batch and (len(batch) >= max_rows or (len(batch) + 1) * width > max_tokens()):
                yield batch
                batch, width = [], prompt_length(request) + request.max_new_tokens
            batch.append(request)
        if batch:
            yield batch


def grouped(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Requests of one adapter and one decoding setting, longest prompts first."""
    groups: dict[tuple[object, ...], list[Request]] = defaultdict(list)
    for request in requests:
        groups[decoding(request)].append(request)
    for group in groups.values():
        yield sorted(group, key=lambda r: (-prompt_length(r), r.key))


def in_order(requests: Sequence[Request]) -> list[Request]:
    """Adapter by adapter, the bare base first, each with the longest prompts first."""
    return sorted(
        requests, key=lambda r: (r.adapter is not None, r.adapter or "", -prompt_length(r), r.key)
    )


def decoding(request: Request) -> tuple[object, ...]:
    """What the rows of one batch share."""
    return (
        request.adapter,
        request.adapter_sha256,
        request.max_new_tokens,
        request.temperature,
        request.top_p,
    )


def prompt_length(request: Request) -> int:
    """Prompt length in tokens."""
    return len(request.prompt.tokens or ())
