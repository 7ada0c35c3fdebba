"""deepeval: `DEEPEVAL_RESULTS_FOLDER=out python make_results.py` writes a test run. No model."""

from deepeval import evaluate
from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase


class Exact(BaseMetric):
    def __init__(self):
        self.threshold = 1.0
        self.async_mode = False

    def measure(self, test_case, *args, **kwargs):
        self.score = float(test_case.actual_output == test_case.expected_output)
        self.success = self.score >= self.threshold
        self.reason = "equal" if self.success else "not equal"
        return self.score

    async def a_measure(self, test_case, *args, **kwargs):
        return self.measure(test_case)

    def is_successful(self):
        return self.success

    @property
    def __name__(self):
        return "Exact"


CASES = [
    LLMTestCase(
        name=f"t{i}",
        input=f"Ticket {i}: which queue?",
        actual_output="login" if i % 3 else "billing",
        expected_output="billing" if i % 2 else "login",
    )
    for i in range(8)
]

if __name__ == "__main__":
    evaluate(CASES, [Exact()])
