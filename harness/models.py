"""Loading a base model at a stated precision on this machine, for evaluation and for training.

Both sides of the job load through here, so that an adapter is measured on the arithmetic it was
trained on.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from harness import fingerprints
from harness.errors import MissingExtra, PreflightError, SourceError, SuiteError, UsageError
from harness.types import Message, Precision, Prompt

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl", "accelerate")


def require_torch() -> Any:
    """The torch module, set up for shared machines; MissingExtra where it is not installed."""
    # Two spinning OpenMP threads on shared cores can be ten times slower than one. The variable
    # is read when the OpenMP runtime starts, hence before the first import of torch.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    keep_local()
    try:
        import torch
    except ImportError:
        raise MissingExtra("torch", "local", "Running a model in this process") from None
    quiet()
    return torch


def keep_local() -> None:
    """Nothing leaves the machine, and no code enters it, unasked.

    TRL reports each trainer to the hub unless told not to. bitsandbytes and transformers run
    native code from the hub's ``kernels-community`` where the package ``kernels`` is installed.
    Set the variables to 0 and import ``kernels`` first to allow either.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("USE_HUB_KERNELS", "0")
    # None makes `import kernels` an ImportError.
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]


def quiet() -> None:
    """Silence the libraries' own progress bars and advice; ours is the one that is shown."""
    import logging
    import warnings

    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def pick_device(device: str = "auto") -> str:
    """``cuda``, ``mps`` or ``cpu``: the best there is for ``auto``, else the one asked for.

    Raises UsageError for a device that this machine (or this build of torch) does not have.
    """
    keep_local()
    if device in ("auto", "cpu") and _is_plain():
        return "cpu"
    torch = require_torch()
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    kind, _, number = device.partition(":")
    if kind not in present or (number and not number.isdigit()):
        raise UsageError(f"'{device}' is no device. Use auto, cpu, cuda, cuda:N or mps.")
    if not present[kind] or (kind == "cuda" and int(number or 0) >= torch.cuda.device_count()):
        raise UsageError(
            f"torch {torch.__version__} finds no device '{device}' here. Use --device auto, or "
            "install a build of torch for it."
        )
    return device


_ACCELERATORS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Of which a driver has at least one: CUDA, ROCm, CUDA under WSL."""


def _is_plain() -> bool:
    """Whether there can be no accelerator, which is known without waiting for torch's import."""
    if not sys.platform.startswith("linux") or importlib.util.find_spec("torch") is None:
        return False
    return not any(os.path.exists(path) for path in _ACCELERATORS)


def device_name(device: str) -> str:
    """The device's make where it has one, as arithmetic differs between GPUs."""
    if not device.startswith("cuda"):
        return device
    return str(require_torch().cuda.get_device_name(device))


def compute_dtype(precision: Precision, device: str, *, deterministic: bool = False) -> Any:
    """The torch dtype that activations have at ``precision``; fp32 in deterministic mode."""
    torch = require_torch()
    if precision == "fp32" or deterministic:
        return torch.float32
    if precision == "fp16":
        return torch.float16
    # By default torch counts emulated bf16, which is slower than fp32.
    if device.startswith("cuda") and not torch.cuda.is_bf16_supported(including_emulation=False):
        if precision == "bf16":
            raise UsageError('This GPU has no bfloat16. Set precision = "fp16" in the variant.')
        return torch.float16
    return torch.bfloat16


def load_base(
    folder: Path, precision: Precision, device: str, *, deterministic: bool = False
) -> Any:
    """A causal language model in evaluation mode. ``nf4``: 4-bit NormalFloat with double
    quantisation (Dettmers et al. 2023, QLoRA, section 3), by bitsandbytes. ``deterministic``:
    arithmetic in fp32, whatever the weights are stored at."""
    require_torch()
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = compute_dtype(precision, device, deterministic=deterministic)
    _refuse_quantised(folder)
    options: dict[str, Any] = {
        "dtype": dtype,
        "use_safetensors": True,
        "trust_remote_code": False,
        "output_loading_info": True,
    }
    if precision == "nf4":
        if device == "mps":
            raise UsageError('bitsandbytes has no 4-bit kernels for MPS. Use precision = "bf16".')
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if device != "cpu":
        options["device_map"] = {"": device}
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(str(folder), **options)
    except (ValueError, OSError) as error:
        raise SourceError(f"The model in {folder} cannot be loaded: {error}") from error
    wrong = sorted(loading["missing_keys"]) + sorted(map(str, loading["mismatched_keys"]))
    if wrong:
        # transformers fills such tensors with random numbers and goes on.
        raise SourceError(
            f"The weights in {folder} are incomplete: {len(wrong)} tensors are missing or of "
            f"another shape than config.json says (first: {wrong[0]})."
        )
    if precision == "nf4":
        _keep_weights_unpacked(model)
    _keep_last_position_contiguous(model)
    return model.eval()


def _refuse_quantised(folder: Path) -> None:
    config = folder / "config.json"
    if config.is_file() and "quantization_config" in json.loads(config.read_text("utf-8")):
        raise SourceError(
            f"The weights in {folder} are quantised already, so no precision that a variant states "
            "would be true. Name the full-precision model; 'precision = \"nf4\"' quantises it here."
        )


def _keep_weights_unpacked(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights in place at the first forward on CPU.

    On AVX512-BF16 processors the repacked layout serves a kernel without autograd, so that
    training after any evaluation gets wrong gradients and no error. It also keeps one arithmetic
    for training and evaluation.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _keep_last_position_contiguous(model: Any) -> None:
    """Stop torch from copying the vocabulary matrix once for each row of a batch.

    The last position's hidden states are a strided slice; times a frozen matrix, torch takes a
    batched product over expanded copies of it (3.6 GB at 64 rows and 49,152 x 576), where one
    product over a contiguous input does.
    """
    head = model.get_output_embeddings()
    if head is not None:
        head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))


def load_tokenizer(folder: Path) -> Any:
    """The model's tokenizer, padding on the left as generation needs.

    SuiteError where it has no chat template: prompts could not be the same in training and
    evaluation by construction.
    """
    require_torch()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        str(folder), padding_side="left", trust_remote_code=False
    )
    if not tokenizer.chat_template:
        raise SuiteError(
            f"The tokenizer in {folder} has no chat template. Use an instruction-tuned model, or "
            "add a chat_template.jinja to the folder."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


DATE = date(2025, 1, 1)
"""What templates that print today's date print: a prompt must not change overnight."""


_STILL = (
    "{%- macro strftime_now(format) -%}"
    f"{{%- if '%B' in format -%}}{DATE:%d %B %Y}"
    f"{{%- elif '%b' in format -%}}{DATE:%d %b %Y}"
    f"{{%- else -%}}{DATE:%Y-%m-%d}{{%- endif -%}}"
    "{%- endmacro -%}"
)


def _undated(template: str) -> str:
    """The template with a macro in place of the function that gives it today's date."""
    return _STILL + template if "strftime_now" in template else template


def template_sha256(tokenizer: Any) -> str:
    """Hash of the chat template: equal in training and in evaluation, or the run stops."""
    return fingerprints.of([str(tokenizer.chat_template), DATE.isoformat()])


def tokenizer_sha256(folder: Path) -> str:
    """Hash of the files that turn text into tokens and back."""
    names = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt")
    return fingerprints.of(
        {n: fingerprints.of_file(folder / n) for n in names if (folder / n).is_file()}
    )


def render(tokenizer: Any, messages: Sequence[Message], *, answered: bool = False) -> str:
    """The prompt text as the model sees it, ready for the assistant's turn.

    ``answered``: the last message is the answer, so that none is asked for. Raises SuiteError
    where the template refuses the messages.
    """
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=not answered,
            chat_template=_undated(str(tokenizer.chat_template)),
        )
    except TemplateError as error:
        roles = ", ".join(m["role"] for m in messages)
        raise SuiteError(
            f"The model's chat template refuses these messages ({roles}): {error}. Many templates "
            "know no system prompt: put the instructions into the task's 'prompt' instead."
        ) from error
    return text


def encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts that already carry their special tokens."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return ids


class Closed(NamedTuple):
    """An answer as the chat template closes it."""

    text: str
    """All that follows the prompt, the template's own words included."""
    ids: list[int]
    end: int | None
    """Index in ``ids`` of the end token; None: the template closes with none that is known."""


def closed(tokenizer: Any, prompt: Prompt, answer: str, ends: frozenset[int]) -> Closed:
    """``answer`` after ``prompt``, for learning it and for measuring how likely it is.

    Raises PreflightError where the template renders the prompt differently once the answer
    follows: it would not follow the prompt that is asked.
    """
    turn = Message(role="assistant", content=answer)
    whole = render(tokenizer, [*prompt.messages, turn], answered=True)
    if not whole.startswith(prompt.text):
        raise PreflightError(
            "The chat template renders the prompt differently once the answer follows, so "
            "training and evaluation would not see the same prompt."
        )
    text = whole[len(prompt.text) :]
    ids = encode(tokenizer, [text])[0]
    return Closed(text, ids, next((i for i, token in enumerate(ids) if token in ends), None))


def context_length(folder: Path) -> int:
    """Most tokens that the model reads; a very large number where it does not say."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    return int(getattr(config.get_text_config(), "max_position_embeddings", 1 << 30))


def end_tokens(folder: Path, tokenizer: Any) -> frozenset[int]:
    """Token ids that end an answer, by the model's generation settings and its tokenizer."""
    from transformers import GenerationConfig

    try:
        listed = GenerationConfig.from_pretrained(str(folder)).eos_token_id
    except OSError:
        listed = None
    ids = listed if isinstance(listed, list) else [listed]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Installed versions of ``packages`` (default: those that can change a model's output),
    without importing them; one that is not installed is left out."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
