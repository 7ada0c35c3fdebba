"""The vocabulary of the harness as small frozen types.

Nothing here computes; everything above it imports it. The words are those of
``docs/architecture.md``. No third-party import, so that the command line starts fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Protocol, TypedDict


class Message(TypedDict):
    """One chat turn, in the form every chat template takes."""

    role: str
    content: str


# --------------------------------------------------------------------------- data


@dataclass(frozen=True, slots=True)
class Turn:
    """A further question of a conversation, and what a right answer to it is."""

    input: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to answer and what a right answer is."""

    id: str
    input: str | tuple[Message, ...]
    targets: tuple[str, ...] = ()
    cluster: str | None = None
    """The document, user or template it comes from; samples of a cluster are not independent."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    follow_ups: tuple[Turn, ...] = field(default=(), metadata={"added": True})
    """Asked one after the other, each after the variant's own answer to the one before (MT-Bench's
    form). Turn k is a row of its own, ``<id>@k``, in the cluster of the sample."""

    @property
    def text(self) -> str:
        """The input as plain text: the last user turn where the input is a conversation."""
        if isinstance(self.input, str):
            return self.input
        turns = [m["content"] for m in self.input if m["role"] == "user"]
        return turns[-1] if turns else ""


RETRIEVED = "retrieved"
"""Key of a sample's metadata under which scorers find the texts that the variant retrieved for it,
best first; a sample's own value under it stays."""


@dataclass(frozen=True, slots=True)
class Document:
    """One passage of a corpus that a retriever may put into a prompt."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Data:
    """What a task is made of: the samples to evaluate on, and what variants may learn from."""

    eval: tuple[Sample, ...]
    train: tuple[Sample, ...] = ()
    corpus: tuple[Document, ...] = ()


# ------------------------------------------------------------------------- scorers


@dataclass(frozen=True, slots=True)
class Metric:
    """What one column of scores means, so that nobody has to guess a definition."""

    name: str
    definition: str
    higher_is_better: bool = True
    low: float | None = 0.0
    """Least value it can take; None: unbounded."""
    high: float | None = 1.0
    """Greatest value it can take; None: unbounded."""
    binary: bool = False
    """Takes only ``low`` and ``high``."""
    version: str = ""
    """Of the package (and encoder) that computes it, as ``name==version``."""


@dataclass(frozen=True, slots=True)
class Score:
    """A value, or unscored with a reason. Unscored is neither 0 nor dropped."""

    value: float | None
    reason: str | None = None

    @classmethod
    def unscored(cls, reason: str) -> Score:
        return cls(None, reason)


class Scorer(Protocol):
    """Turns predictions into scores. One scorer may give several metrics."""

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """One mapping (metric name to score) per prediction, in order."""
        ...


class LikelihoodScorer(Scorer, Protocol):
    """Scores how likely the targets are, whatever was predicted. ``score`` has no likelihoods
    and leaves every row unscored."""

    needs_likelihood: ClassVar[bool]

    def score_likelihoods(
        self, likelihoods: Sequence[Sequence[Likelihood]]
    ) -> list[Mapping[str, Score]]:
        """One mapping (metric name to score) per row of likelihoods, one for each target."""
        ...


# ------------------------------------------------------------------------- variants

Precision = Literal["fp32", "bf16", "fp16", "nf4"]
SERVED: Final = "served"
"""Precision of a variant on a server: the server's choice, which it need not tell."""


@dataclass(frozen=True, slots=True)
class Server:
    """An OpenAI-compatible server that holds a variant's model."""

    base_url: str
    """With the version: ``http://localhost:8000/v1``."""
    api: Literal["chat", "completions"] = "chat"
    """``chat``: the server applies its own chat template. ``completions``: prompts are rendered
    here, with the template of ``tokenizer``, as they are for training."""
    tokenizer: str | None = None
    """Reference of a model whose tokenizer and template are the served one's (``completions``)."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; never the key."""
    concurrency: int = 32
    """Most requests under way at a time."""
    timeout_s: float = 120.0
    """Longest silence of the server before a request is taken for lost."""
    max_retries: int = 5
    """Of a request that was lost, or refused because the server is busy."""
    extra_body: Mapping[str, Any] | None = None
    """Further keys of every request, as this server knows them."""


@dataclass(frozen=True, slots=True)
class Shots:
    """Solved examples from the task's training data, put in front of the question."""

    k: int
    select: Literal["fixed", "nearest"] = "fixed"
    """``fixed``: k drawn once with the run's seed; ``nearest``: the k most similar by BM25."""


@dataclass(frozen=True, slots=True)
class Retriever:
    """Passages of the task's corpus, put in front of the question."""

    kind: Literal["bm25", "dense"] = "bm25"
    k: int = 3
    encoder: str | None = None
    """Model reference of the sentence encoder (``dense`` only)."""


@dataclass(frozen=True, slots=True)
class LoraRecipe:
    """How an adapter is made. Key names are those of PEFT and transformers."""

    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    learning_rate: float = 2e-4
    lr_scheduler_type: str = "cosine"
    warmup_ratio: float = 0.03
    num_train_epochs: float = 1.0
    max_steps: int = -1
    """Step budget; -1: as many as ``num_train_epochs`` needs."""
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 2
    group_by_length: bool = False
    """Batches of similar length: less padding, but long rows first and short rows last, which
    biases a short training towards short answers."""
    gradient_checkpointing: bool = False
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int = 1024
    """Longest training row in tokens; a longer row stops the run, it is never cut."""
    seed: int = 0
    max_train_samples: int | None = None
    """Rows per task, drawn with ``seed``; None: all."""
    precision: Precision = "nf4"
    """Of the base while training; ``nf4`` makes it QLoRA."""
    retriever: Retriever | None = None
    """Retriever whose passages a share of the training rows carry."""
    retriever_share: float = 0.0
    """Share of the rows (of tasks with a corpus) that carry passages."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter: a recipe to train, a folder that holds a trained one, or what a server calls
    it (then ``path`` may name the folder that it was served from)."""

    recipe: LoraRecipe | None = None
    path: str | None = None
    served: str | None = None
    """Name to ask the server for in place of the base's."""


@dataclass(frozen=True, slots=True)
class Generation:
    """How text is drawn from the model. ``temperature`` 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    repeats: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """One candidate system. Every combination of the optional parts is the same code."""

    name: str
    model: str
    """Reference of the base; with a server what the server calls it."""
    precision: Literal[Precision, "served"] = "bf16"
    """``served`` on a server, and only there."""
    server: Server | None = None
    system: str | None = None
    """Overrides the tasks' own system prompts."""
    shots: Shots | None = None
    retriever: Retriever | None = None
    adapter: Adapter | None = None
    generation: Generation = Generation()
    cost_per_1k_tokens: float | None = None
    """Price of 1,000 tokens (in and out), in any one currency, where it is known."""


# --------------------------------------------------------------------- task and suite


@dataclass(frozen=True, slots=True)
class Task:
    """Samples, prompt and scorers of one kind of question."""

    name: str
    data: Data | Callable[[int], Data]
    """The data, or a function from the run's seed to the data (called when a run starts)."""
    scorers: Sequence[Scorer | str]
    """Scorer objects, or names that ``harness.scorers`` knows."""
    system: str | None = None
    prompt: str = "{input}"
    """User turn; ``{input}`` is the sample's input."""
    passages: str = "Use these documents to answer.\n\n{documents}\n\n{question}"
    """User turn of variants that retrieve; ``{question}`` is the filled-in ``prompt``."""
    max_new_tokens: int = 64
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Suite:
    """Tasks, variants, rules: all that a run needs to know."""

    name: str
    tasks: Sequence[Task]
    variants: Sequence[Variant]
    rules: RuleSet | None = None


# --------------------------------------------------------------------------- engines


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as the engine will send it."""

    messages: tuple[Message, ...]
    text: str
    tokens: tuple[int, ...] | None = None
    """Token ids after the chat template; None where a server does the tokenising."""


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to make. ``key`` identifies it in the response cache."""

    key: str
    prompt: Prompt
    adapter: str | None = None
    """Folder of the adapter to apply; None: the bare base."""
    adapter_sha256: str | None = None
    """Of the adapter that is meant, whatever lies in the folder by then."""
    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one request."""

    key: str
    text: str | None
    tokens_in: int | None
    """None where a server does not say."""
    tokens_out: int | None
    latency_s: float
    """Wall seconds of the batch it was made in, divided by the batch's rows; from a server those
    of the request that was answered, among the others under way."""
    finish_reason: str
    """``stop``, ``length`` or ``error``."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Forced:
    """One target whose likelihood to measure: the model reads prompt and target (teacher
    forcing) and writes nothing."""

    key: str
    prompt: Prompt
    target: str
    adapter: str | None = None
    adapter_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely one target was, given its prompt."""

    key: str
    log_likelihood: float | None
    """Natural logarithm, the sum over the target's tokens; None where it could not be had."""
    end_log_likelihood: float | None
    """Of the end token after it; None where the template closes with none."""
    tokens: int
    """Of the target, the end token left out."""
    bytes: int
    """Of the target in UTF-8."""
    error: str | None = None


class Memo(Protocol):
    """Where what was computed once is kept between runs: JSON objects by hash."""

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]: ...

    def put_many(self, items: Sequence[tuple[str, Mapping[str, Any]]]) -> None: ...


class Engine(Protocol):
    """Makes completions of one base model at one precision."""

    @property
    def identity(self) -> Mapping[str, str]:
        """All of the engine that can change a response: name and version, weights, precision,
        template, device. Part of every cache key."""
        ...

    @property
    def device(self) -> str:
        """Where the weights are: ``cpu``, ``cuda``, ``mps``, or ``server``."""
        ...

    @property
    def folder(self) -> Path | None:
        """With the base's weights, config and tokenizer; None where a server has them."""
        ...

    @property
    def context_length(self) -> int: ...

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        """The conversations as they will be sent, in order."""
        ...

    def prove(self, adapter: str) -> Mapping[str, Any]:
        """Evidence that the adapter in this folder is applied, with its weights, on this base.

        Raises PreflightError where it is not."""
        ...

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Completions as they become ready, in any order; exactly one for each request."""
        ...

    def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
        """Likelihoods as they become ready, in any order; exactly one for each request."""
        ...

    def close(self) -> None:
        """Let go of the model; the next completion would load it again."""
        ...


class Encoder(Protocol):
    """Turns texts into vectors whose dot product says how alike they are."""

    @property
    def identity(self) -> Mapping[str, str]:
        """All that can change a vector: weights, pooling, length limit, package versions."""
        ...

    def encode(self, texts: Sequence[str]) -> Any:
        """float32 array of shape (len(texts), d); each row of Euclidean length 1. A text longer
        than ``limit`` has the vector of its beginning."""
        ...

    @property
    def limit(self) -> int:
        """Most tokens of a text that are read, special ones included."""
        ...

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """Whether a text is longer than that, for each."""
        ...


# ---------------------------------------------------------------- comparison and verdict


class Status(StrEnum):
    """The four words of a verdict, worst first when they are combined."""

    INVALID = "INVALID"
    HOLD = "HOLD"
    INCONCLUSIVE = "INCONCLUSIVE"
    SHIP = "SHIP"


Role = Literal["superior", "non_inferior", "guardrail"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition on the candidate. What each role proves: ``docs/statistics.md``."""

    metric: str
    role: Role
    versus: str | None = None
    """A variant's name, or ``best``: every variant without an adapter."""
    margin: float | None = None
    max: float | None = None
    min: float | None = None
    task: str | None = None
    slice: str | None = None
    """A metadata key: the rule must hold in each of its values."""
    direction: Literal["higher", "lower"] | None = None
    alpha: float | None = None
    advisory: bool = False
    max_unscored: float = 0.05
    min_samples: int = 30
    cluster: bool = True
    bounds: tuple[float, float] | None = None
    """Least and greatest value of an imported metric that does not say."""
    pairing: Literal["paired", "independent"] = "paired"
    """``independent``: the two sides answered different samples (production traffic)."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The candidate and what it must prove."""

    candidate: str
    rules: tuple[Rule, ...]
    alpha: float = 0.05
    targets: tuple[Rule, ...] = ()
    """Guardrails that a variant without an adapter must keep for no adapter to be needed."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Two-sided 1 - 2*alpha interval of a mean: each bound is one-sided at alpha."""

    estimate: float
    low: float
    high: float
    level: float
    n: int
    method: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate minus reference on one metric of one task (and slice), paired by sample.

    Positive is better: the sign is flipped where lower values are better.
    """

    task: str
    metric: str
    slice: str | None
    candidate: str
    versus: str
    alpha: float
    ci_level: float
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    """Pairs that both sides scored."""
    n_unscored: int
    method: str
    """The inference method, or why there is none."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One variant's own value of one metric in one task."""

    task: str
    metric: str
    variant: str
    estimate: float | None
    """Mean over scored samples (a quantile for latency_p50, latency_p95); None: none scored."""
    ci_low: float | None
    ci_high: float | None
    ci_level: float
    n: int
    n_unscored: int


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One row of the verdict; the field names are the keys of ``gate --json``."""

    metric: str
    role: Role
    task: str | None
    slice: str | None
    versus: str | None
    margin: float | None
    alpha: float
    ci_level: float
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    n_unscored: int
    status: Status
    gating: bool
    reason: str
    more_samples: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """May the candidate ship, by which rules, and which variant is the best system."""

    status: Status
    recommendation: str | None
    candidate: str | None
    rules: tuple[RuleResult, ...] = ()
    warnings: tuple[str, ...] = ()
