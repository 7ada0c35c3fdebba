"""inspect_ai 0.3.285: `python make_logs.py` writes two logs. Its own mock model answers."""

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes, match

N = 12
SAMPLES = [
    Sample(
        id=f"s{i}",
        input=f"Ticket {i}: which queue?",
        target="billing" if i % 2 else "login",
        metadata={"team": "a" if i < 6 else "b"},
    )
    for i in range(N)
]


def answers(words):
    def said(messages, *rest):
        made = ModelOutput.from_content(
            "mockllm/model", words[int(messages[-1].text.split()[1][:-1])]
        )
        made.usage = ModelUsage(input_tokens=6, output_tokens=1, total_tokens=7)
        return made

    return said


if __name__ == "__main__":
    for words in (["login"] * N, ["login", "billing"] * (N // 2 - 1) + ["other", "login billing"]):
        model = get_model("mockllm/model", custom_outputs=answers(words), memoize=False)
        task = Task(dataset=SAMPLES, scorer=[match(), includes()], name="triage")
        eval(task, model=model, log_dir="logs", display="none", max_samples=1, log_model_api=False)
