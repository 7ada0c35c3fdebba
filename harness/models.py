"""Loading a base model at a stated precision on this machine, for evaluation and for training.

Both sides of the job load through here, so that an adapter is measured on the arithmetic it was
trained on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import MissingExtra, SuiteError, UsageError
from harness.types import Message, Precision

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl", "accelerate")


def require_torch() -> Any:
    """The torch module, set up for shared machines; MissingExtra where it is not installed."""
    # Two spinning OpenMP threads on shared cores can be ten times slower than one. The variable
    # is read when the OpenMP runtime starts, hence before the first import of torch.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import torch
    except ImportError:
        raise MissingExtra("torch", "local", "Running a model in this process") from None
    quiet()
    return torch


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
    """``cuda``, ``mps`` or ``cpu``: the best there is for ``auto``, else the one asked for."""
    torch = require_torch()
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def compute_dtype(precision: Precision, device: str) -> Any:
    """The torch dtype that activations have at ``precision``."""
    torch = require_torch()
    if precision == "fp32":
        return torch.float32
    if precision == "fp16":
        return torch.float16
    if device == "cuda" and not torch.cuda.is_bf16_supported():
        if precision == "bf16":
            raise UsageError('This GPU has no bfloat16. Set precision = "fp16" in the variant.')
        return torch.float16
    return torch.bfloat16


def load_base(folder: Path, precision: Precision, device: str) -> Any:
    """A causal language model in evaluation mode. ``nf4``: 4-bit NormalFloat with double
    quantisation (Dettmers et al. 2023, QLoRA, section 3), by bitsandbytes."""
    require_torch()
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = compute_dtype(precision, device)
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
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
    model = AutoModelForCausalLM.from_pretrained(str(folder), **options)
    if precision == "nf4":
        _keep_weights_unpacked(model)
    _keep_last_position_contiguous(model)
    return model.eval()


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

    tokenizer = AutoTokenizer.from_pretrained(str(folder), padding_side="left")
    if not tokenizer.chat_template:
        raise SuiteError(
            f"The tokenizer in {folder} has no chat template. Use an instruction-tuned model, or "
            "add a chat_template.jinja to the folder."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def template_sha256(tokenizer: Any) -> str:
    """Hash of the chat template: equal in training and in evaluation, or the run stops."""
    return hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest()


def render(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The prompt text as the model sees it, ready for the assistant's turn."""
    text: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    return text


def encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts that already carry their special tokens."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return ids


def end_tokens(folder: Path, tokenizer: Any) -> frozenset[int]:
    """Token ids that end an answer, by the model's generation settings and its tokenizer."""
    from transformers import GenerationConfig

    try:
        listed = GenerationConfig.from_pretrained(str(folder)).eos_token_id
    except OSError:
        listed = None
    ids = listed if isinstance(listed, list) else [listed]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a model's output, without importing."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
