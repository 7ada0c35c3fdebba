"""LoRA on a (by default 4-bit) base: QLoRA, Dettmers et al. 2023, arXiv:2305.14314."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import fingerprints, models
from harness.errors import PreflightError
from harness.sources import weights_sha256
from harness.training import preflights
from harness.training.rows import Example, Row, build_rows
from harness.types import LoraRecipe

CARD = "harness.json"
VERSION = 1
"""Raise it when a change here can change an adapter."""
_DONE = "seconds"
"""Marks a checkpoint that was written to its end (the libraries leave half ones when killed), and
holds the seconds of training so far."""

Progress = Callable[[int, int, float | None], None]
"""Called with (step, steps in all, loss)."""


def adapter_fingerprint(
    recipe: LoraRecipe, examples: Sequence[Example], *, identity: dict[str, str]
) -> str:
    """Name of the adapter that these ingredients make.

    ``identity``: base weights, template, device and library versions.
    """
    rows = [[e.id, list(e.prompt.tokens or ()), e.completion] for e in examples]
    return fingerprints.of(
        {
            "version": VERSION,
            "recipe": recipe,
            "rows": rows,
            "identity": identity,
            "packages": models.versions(),
        }
    )


def train(
    recipe: LoraRecipe,
    examples: Sequence[Example],
    *,
    base: Path,
    identity: dict[str, str],
    out: Path,
    prompts_sha256: Mapping[str, str] | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train an adapter into the folder ``out`` and return its card (also kept as harness.json).

    ``identity`` must hold ``weights_sha256`` and ``template_sha256``; with ``prompts_sha256``
    (task to hash of its system prompt and templates) they bind the adapter to what it was trained
    with. A run that was killed continues from its last whole checkpoint.
    Raises PreflightError where a check fails; nothing is left in ``out`` then.
    """
    models.require_torch()
    import torch

    if not examples:
        raise PreflightError("There are no training rows. Give a task training data.")
    device = models.pick_device(device)
    tokenizer = models.load_tokenizer(base)
    tokenizer.padding_side = "right"
    ends = models.end_tokens(base, tokenizer)
    rows = build_rows(examples, tokenizer, ends, recipe.max_length)
    torch.manual_seed(recipe.seed)
    model = _lora(models.load_base(base, recipe.precision, device), recipe)
    probe = preflights.tensors(rows[:2], tokenizer.pad_token_id, model.device)
    checks: dict[str, Any] = {
        "gradient_error_after_evaluation": preflights.gradient_parity(model, probe),
        "end_token_in_labels": all(r.labels[-1] in ends for r in rows),
        "rows_in": len(examples),
    }
    work = out.with_name(out.name + ".partial")
    resumed = _last_whole_checkpoint(work)
    before = float((resumed / _DONE).read_text("utf-8")) if resumed else 0.0
    clock = _Clock(time.perf_counter() - before)
    trainer = _trainer(model, tokenizer, rows, recipe, work, device, clock, progress)
    checks["rows_trained"] = len(trainer.train_dataset)
    if checks["rows_trained"] != len(examples):
        raise PreflightError(
            f"{len(examples)} training rows went in, {checks['rows_trained']} would be trained."
        )
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    history = trainer.state.log_history
    losses = [(int(h["step"]), float(h["loss"])) for h in history if "loss" in h]
    checks["max_logit_change"] = preflights.logit_change(model, probe)
    card = {
        "base_sha256": identity["weights_sha256"],
        "template_sha256": identity["template_sha256"],
        "prompts_sha256": dict(prompts_sha256 or {}),
        "recipe": fingerprints.plain(recipe),
        "loss": losses,
        "steps": trainer.state.global_step,
        "rows": len(rows),
        "tokens": sum(len(r.input_ids) for r in rows),
        "seconds": round(clock.seconds, 1),
        "resumed_at_step": int(resumed.name.split("-")[1]) if resumed else None,
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "device": device,
        "preflights": checks,
        "packages": models.versions(),
    }
    _save(model, card, out, work)
    return card


def _lora(base: Any, recipe: LoraRecipe) -> Any:
    from peft import LoraConfig, get_peft_model

    target = recipe.target_modules
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=target if isinstance(target, str) else list(target),
    )
    if recipe.gradient_checkpointing:
        base.enable_input_require_grads()
    return get_peft_model(base, config)


def _trainer(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    recipe: LoraRecipe,
    work: Path,
    device: str,
    clock: _Clock,
    progress: Progress | None,
) -> Any:
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        output_dir=str(work),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.lr_scheduler_type,
        # transformers 5 reads a fraction here as the ratio.
        warmup_steps=recipe.warmup_ratio,
        num_train_epochs=recipe.num_train_epochs,
        max_steps=recipe.max_steps,
        per_device_train_batch_size=recipe.per_device_train_batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation_steps,
        train_sampling_strategy="group_by_length" if recipe.group_by_length else "random",
        gradient_checkpointing=recipe.gradient_checkpointing,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
        data_seed=recipe.seed,
        # The rows are tokenised and checked; the library must neither cut nor drop any.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        use_cpu=device == "cpu",
        bf16=False,
        # Without bf16 the activations are fp16, whose small gradients need scaling.
        fp16=device.startswith("cuda")
        and models.compute_dtype(recipe.precision, device) == torch.float16,
        logging_steps=1,
        # Otherwise a loss that is not a number is logged as 0.
        logging_nan_inf_filter=False,
        save_steps=0.1,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
    )
    data = Dataset.from_list(
        [{"input_ids": list(r.input_ids), "labels": list(r.labels)} for r in rows]
    )
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=data,
        processing_class=tokenizer,
        callbacks=[_callback(clock, progress)],
    )
    # It prints every log line where the progress bar is off.
    trainer.remove_callback(PrinterCallback)
    # TRL makes them bf16 on a quantised base, and a resumed run makes them fp32: the same
    # ingredients would give two adapters. fp32 also keeps small updates that bf16 rounds away.
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trainer


@dataclass(frozen=True)
class _Clock:
    """Seconds of training, those before an interruption included."""

    started: float

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


def _callback(clock: _Clock, progress: Progress | None) -> Any:
    from transformers import TrainerCallback

    class Report(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            loss = float(logs["loss"])
            preflights.finite_loss(state.global_step, loss)
            if progress:
                progress(state.global_step, state.max_steps, loss)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            # Resumed from its last step, the trainer would take one step too many.
            if state.global_step < state.max_steps:
                folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                (folder / _DONE).write_text(f"{clock.seconds:.1f}", "utf-8")

    return Report()


def _last_whole_checkpoint(work: Path) -> Path | None:
    whole = [p.parent for p in work.glob(f"checkpoint-*/{_DONE}")]
    return max(whole, key=lambda p: int(p.name.split("-")[1]), default=None)


def _save(model: Any, card: dict[str, Any], out: Path, work: Path) -> None:
    """Adapter and card appear in ``out`` together or not at all, on disk when they do."""
    ready = out.with_name(out.name + ".ready")
    shutil.rmtree(ready, ignore_errors=True)
    model.save_pretrained(str(ready), safe_serialization=True)
    card["adapter_sha256"] = weights_sha256(ready)
    (ready / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    for file in ready.iterdir():
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
    ready.replace(out)
    shutil.rmtree(work, ignore_errors=True)
