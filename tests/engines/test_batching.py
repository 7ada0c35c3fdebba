from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.engines.batching import batches, decoding, prompt_length
from harness.types import Prompt, Request

requests = st.lists(
    st.builds(
        lambda i, n, adapter, new: (i, n, adapter, new),
        st.integers(),
        st.integers(1, 400),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([16, 64]),
    ),
    max_size=60,
).map(
    lambda rows: [
        Request(str(k), Prompt((), "", tuple(range(n))), adapter, None, new)
        for k, (_, n, adapter, new) in enumerate(rows)
    ]
)


@given(requests, st.integers(1, 16), st.integers(50, 4000))
def test_every_request_is_in_one_batch_within_bounds(
    some: list[Request], max_rows: int, max_tokens: int
) -> None:
    made = list(batches(some, max_rows=max_rows, max_tokens=lambda: max_tokens))
    assert sorted(r.key for b in made for r in b) == sorted(r.key for r in some)
    for batch in made:
        assert len({decoding(r) for r in batch}) == 1
        assert len(batch) <= max_rows
        size = len(batch) * (max(map(prompt_length, batch)) + batch[0].max_new_tokens)
        assert size <= max_tokens or len(batch) == 1


@given(requests)
def test_longest_prompts_come_first(some: list[Request]) -> None:
    for group in {decoding(r) for r in some}:
        made = [
            prompt_length(r)
            for b in batches(some, max_rows=4, max_tokens=lambda: 10_000)
            for r in b
            if decoding(r) == group
        ]
        assert made == sorted(made, reverse=True)
