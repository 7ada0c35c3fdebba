"""Evidence on whether a QLoRA adapter is worth shipping, or a prompt or retrieval would do."""

from harness.errors import HarnessError
from harness.judging import JudgeModel, Rubric
from harness.types import (
    Adapter,
    Data,
    Document,
    Generation,
    LoraRecipe,
    Metric,
    Retriever,
    Rule,
    RuleSet,
    Sample,
    Score,
    Scorer,
    Server,
    Shots,
    Suite,
    Task,
    Turn,
    Variant,
)

__version__ = "0.1.0"

__all__ = [
    "Adapter",
    "Data",
    "Document",
    "Generation",
    "HarnessError",
    "JudgeModel",
    "LoraRecipe",
    "Metric",
    "Retriever",
    "Rubric",
    "Rule",
    "RuleSet",
    "Sample",
    "Score",
    "Scorer",
    "Server",
    "Shots",
    "Suite",
    "Task",
    "Turn",
    "Variant",
    "__version__",
]
