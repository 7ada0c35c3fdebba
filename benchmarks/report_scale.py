"""How a report of 20,000 samples x 6 variants opens, filters, searches and scrolls.

python benchmarks/report_scale.py [--samples 20000] [--variants 6] [--chars 400]
                                  [--searching 0] [--keep DIR]

Needs Playwright and a Chromium. Times in the page are from the event to the frame that shows what
it changed, as a reader sees it. It exits with 1 where a target is missed: first paint 1 s, a
filter 100 ms, a file of 40 MB.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from screenshot import FLAGS

from harness.report import write_report
from harness.store.runs import outputs_schema, scores_schema, write_run

PAINT_MS, FILTER_MS, FILE_MB = 1000, 100, 40
METRICS = ("exact_match", "rouge_l")

# Presses a control and waits for the frame after the one in which every line has its texts.
TIMED = """async ({ id, value }) => {
  const control = id === 'show'
    ? document.querySelector(`#show input[value=${value}]`) : document.getElementById(id);
  const before = performance.now();
  if (id === 'show') control.checked = true; else control.value = value;
  control.dispatchEvent(new Event('input', { bubbles: true }));
  const busy = () => document.getElementById('found').textContent.startsWith('Reading');
  const empty = () => [...document.querySelectorAll('.line')].some((line) => !line.firstChild);
  await new Promise(requestAnimationFrame);
  while (busy() || empty()) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - before;
}"""
SCROLLED = """async () => {
  const table = document.getElementById('table');
  const frames = [];
  let last = performance.now();
  for (let i = 0; i < 120; i++) {
    table.scrollTop += 3000;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  return frames;
}"""


def words(draw: random.Random, count: int = 4000) -> list[str]:
    """Made-up words, short ones first, as those of a language are used."""
    said = "ba con der es fi gra hol in ju ka lor men no op pre qui ri sta tur um ver wi"
    parts = said.split()
    return ["".join(draw.choices(parts, k=1 + i % 4)) for i in range(count)]


def texts(rng: np.random.Generator, vocabulary: list[str], n: int, chars: int) -> list[str]:
    """``n`` texts of about ``chars`` characters, words drawn by Zipf's law."""
    weights = 1 / np.arange(1, len(vocabulary) + 1)
    mean = sum(map(len, vocabulary)) / len(vocabulary) + 1
    long = int(chars / mean * 1.25)
    drawn = rng.choice(len(vocabulary), (n, long), p=weights / weights.sum())
    return [" ".join(vocabulary[i] for i in row)[:chars] for row in drawn]


def passages_of(found: list[str], i: int) -> str:
    rows = [{"id": f"doc-{i}-{k}", "score": 9.5 - k, "text": found[3 * i + k]} for k in range(3)]
    return json.dumps(rows)


def make_run(folder: Path, n: int, variants: int, chars: int, searching: int) -> Path:
    rng, draw = np.random.default_rng(0), random.Random(0)
    vocabulary = words(draw)
    names = [f"variant_{v}" for v in range(variants)]
    ids = [f"sample-{i:06d}" for i in range(n)]
    inputs, targets = (texts(rng, vocabulary, n, chars) for _ in range(2))
    passages = texts(rng, vocabulary, 3 * n if searching else 0, chars)
    metadata = [
        json.dumps({"source": f"source {i % 7}", "language": f"l{i % 3}"}) for i in range(n)
    ]
    columns: dict[str, list[Any]] = {name: [] for name in outputs_schema().names}
    scores: dict[str, list[Any]] = {name: [] for name in scores_schema().names}
    for v, name in enumerate(names):
        right = rng.random(n) < 0.4 + 0.05 * v
        columns["task"] += ["task"] * n
        columns["sample_id"] += ids
        columns["variant"] += [name] * n
        columns["metadata"] += metadata
        columns["input"] += inputs
        columns["target"] += [json.dumps([t]) for t in targets]
        told = ["\n".join(passages[3 * i : 3 * i + 3]) if v < searching else "" for i in range(n)]
        columns["prompt"] += [
            f"<|user|>\nAnswer the question.\n{p}{t}<|end|>\n"
            for p, t in zip(told, inputs, strict=True)
        ]
        if v < searching:
            columns["retrieved"] += [passages_of(passages, i) for i in range(n)]
        else:
            columns["retrieved"] += [None] * n
        # Nothing repeats, which is the worst that can be asked of the packing.
        columns["output"] += texts(rng, vocabulary, n, chars)
        columns["tokens_in"] += [100] * n
        columns["tokens_out"] += [80] * n
        columns["latency_s"] += list(rng.random(n))
        columns["finish_reason"] += ["stop"] * n
        for name_, values in zip(METRICS, (right, np.where(right, 1, rng.random(n))), strict=True):
            scores["task"] += ["task"] * n
            scores["sample_id"] += ids
            scores["variant"] += [name] * n
            scores["metric"] += [name_] * n
            scores["value"] += list(map(float, values.astype(float).round(4)))
            scores["reason"] += [None] * n
    size = n * variants
    for name in columns:
        columns[name] = columns[name] or [None] * size
    about = {
        "higher_is_better": True,
        "low": 0.0,
        "high": 1.0,
        "version": "1",
        "definition": "made",
    }
    metrics = {name: {**about, "binary": name == "exact_match"} for name in METRICS}
    rule = {"metric": "exact_match", "role": "superior", "versus": "best", "margin": 0.02}
    manifest = {
        "kind": "run",
        "suite": "report_scale",
        "tasks": {"task": {"version": "1", "n": n, "metrics": metrics}},
        "variants": {v: {"has_adapter": v == names[-1], "recipe": {"name": v}} for v in names},
        "rules": {"candidate": names[-1], "alpha": 0.05, "rule": [rule]},
    }
    return write_run(
        folder / "run",
        manifest,
        pa.table(columns, schema=outputs_schema()),
        pa.table(scores, schema=scores_schema()),
    )


def measure(file: Path) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        found: dict[str, Any] = {"chromium": browser.version, "samples in the file": None}
        paints, ready = [], []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(file.resolve().as_uri(), wait_until="commit")
            page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
            ready.append(page.evaluate("performance.now()"))
            page.wait_for_load_state()
            paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
            paints.append(page.evaluate(paint))
            last, _ = page, page.wait_for_timeout(1000)
            if len(paints) < 3:
                page.close()
        found["first paint, ms"] = paints
        found["table usable, ms"] = ready
        found["samples in the file"] = last.inner_text("#found").split(" samples")[0]
        filters = [
            ("show", "regressed"), ("show", "worse"), ("show", "all"), ("metric", "1"),
            ("slice", json.dumps(["source", 2], separators=(",", ":"))), ("slice", ""),
            ("from", "0.5"), ("from", ""), ("sort", "worst"), ("sort", "order"), ("sort", "flips"),
            ("versus", "1"), ("candidate", "3"), ("metric", "0"),
        ]  # fmt: skip
        times = {f"{i} = {v or 'all'}": [] for i, v in filters}
        for _ in range(5):
            for name, value in filters:
                took = last.evaluate(TIMED, {"id": name, "value": value})
                times[f"{name} = {value or 'all'}"].append(took)
        found["filters, ms (median of 5)"] = {k: statistics.median(t) for k, t in times.items()}
        found["first search, ms"] = last.evaluate(TIMED, {"id": "query", "value": "lormen"})
        later = [
            last.evaluate(TIMED, {"id": "query", "value": w}) for w in ("quista", "zu", "xx", "")
        ]
        found["later searches, ms"] = later
        frames = last.evaluate(SCROLLED)
        found["scrolling, ms a frame (median, worst)"] = (statistics.median(frames), max(frames))
        found["memory of the page, MB"] = last.evaluate("performance.memory.usedJSHeapSize") / 1e6
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--variants", type=int, default=6)
    parser.add_argument("--chars", type=int, default=400)
    parser.add_argument("--searching", type=int, default=0, help="variants with three passages")
    parser.add_argument("--keep", type=Path, help="folder for the run and the report")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = folder / "run"
        if not run.exists():
            make_run(folder, args.samples, args.variants, args.chars, args.searching)
        start = time.perf_counter()
        file = write_report(run, folder / "report.html")
        seconds = time.perf_counter() - start
        size = file.stat().st_size / 1e6
        found = measure(file)
        beside = sorted(p.name for p in folder.glob("*.parquet"))
    print(f"writing, s: {seconds:.1f}\nfile, MB: {size:.1f}\nbeside it: {beside or 'nothing'}")
    for name, value in found.items():
        print(f"{name}: {value}")
    slowest = max(found["filters, ms (median of 5)"].values())
    paint = max(p for p in found["first paint, ms"] if p is not None)
    missed = [
        text
        for text, bad in (
            (f"first paint {paint:.0f} ms, target {PAINT_MS}", paint > PAINT_MS),
            (f"slowest filter {slowest:.0f} ms, target {FILTER_MS}", slowest > FILTER_MS),
            (f"file {size:.1f} MB, target {FILE_MB}", size > FILE_MB),
        )
        if bad
    ]
    sys.exit("missed: " + "; ".join(missed) if missed else 0)


if __name__ == "__main__":
    main()
