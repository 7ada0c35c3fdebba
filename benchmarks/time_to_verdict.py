"""Seconds to a verdict on five variants, beside other tools run once for each variant.

    python benchmarks/time_to_verdict.py [--n 200 1000] [--tools lmeval inspect] [--batches 32 64]
        [--threads 2] [--repeats 1] [--envs DIR] [--work DIR] [--json FILE]

Needs the package with its extra `local`; the other tools are installed on demand into environments
of their own. Prints one table: whole processes in wall time, start-up included and not, with the
checks that all did the same work. What is compared, and how: docs/performance.md. Without a GPU
the defaults take about two hours on two cores; `--n 20` shows in minutes that everything runs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import peer_envs
import verdict_own
import verdict_peers
import verdict_suite
import verdict_table
from processes import environment
from verdict_checks import check


@dataclass
class Bench:
    """What every measurement needs."""

    work: Path
    suites: dict[str, Path]
    """A suite a rule of ``verdict_suite.RULES``; all else is the same."""
    base: Path
    adapter: Path
    pythons: dict[str, Path]
    env: dict[str, str]
    batches: dict[str, list[int]]
    """Tool and variant (``tool/variant``) to the batch sizes still in question."""

    def own(
        self, n: int, what: str, *options: str, rule: str = "clear", fresh: bool = True
    ) -> tuple[verdict_own.Ran, dict[str, Any]]:
        """One run of this package, and its record."""
        # The cached run is the same again, in the same place.
        place = self.work / "own" / (what if fresh else "run")
        limit = ("--limit", str(n))
        ran = verdict_own.run(self.suites[rule], place, self.env, *limit, *options, fresh=fresh)
        record = {
            "side": "own",
            "what": what,
            "n": n,
            "samples": ran.samples,
            "seconds": ran.spent.seconds,
            "peak_gb": ran.spent.peak_gb,
            "verdict": ran.verdict,
            "means": ran.means,
            "timings": ran.manifest["timings"],
        }
        say(record)
        return ran, record

    def peer(self, tool: str, n: int, ran: verdict_own.Ran, *, what: str) -> list[dict[str, Any]]:
        """Each variant through another tool, on the prompts of ``ran``."""
        found = []
        for variant in verdict_suite.VARIANTS:
            batches = self.batches[f"{tool}/{variant}"]
            for batch in batches[:1] if what == "start-up" else batches:
                found.append(self._peer(tool, variant, batch, n, ran, what))
                say(found[-1])
        return found

    def _peer(
        self, tool: str, variant: str, batch: int, n: int, ran: verdict_own.Ran, what: str
    ) -> dict[str, Any]:
        place = self.work / tool / f"{what}-{variant}-{batch}"
        prompts = verdict_own.prompts(ran, variant, self.work / "prompts" / f"{variant}.jsonl")
        asked = verdict_peers.Asked(variant, prompts, self.base, self.adapter, batch)
        answered = verdict_peers.TOOLS[tool][1](self.pythons[tool], asked, place, self.env)
        rows = ran.of(variant)
        texts = [answered.prompts[row["sample_id"]] for row in rows]
        same = check(
            answered.texts,
            {row["sample_id"]: row["output"] for row in rows},
            {row["sample_id"]: json.loads(row["target"])[0] for row in rows},
            verdict_peers.token_ids(self.pythons[tool], self.base, texts, place),
            verdict_own.token_ids(self.base, [row["prompt"] for row in rows]),
        )
        return {
            "side": tool,
            "what": what,
            "n": n,
            "variant": variant,
            "batch": batch,
            "seconds": answered.spent.seconds,
            "peak_gb": answered.spent.peak_gb,
            **same.as_dict(),
            "texts": [answered.texts[row["sample_id"]] for row in rows],
        }


def say(record: dict[str, Any]) -> None:
    words = " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in record.items()
        if key not in ("texts", "timings", "means")
    )
    print(words, flush=True)


def one_size(bench: Bench, n: int, what: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All sides at ``n`` samples a variant, in turns; this package first, as it makes the
    prompts."""
    records = []
    for repeat in range(options.repeats):
        ran, record = bench.own(n, what)
        records.append(record)
        if what == "run":
            records += [
                bench.own(n, "cached", fresh=False)[1],
                *(
                    bench.own(n, f"sequential, {rule}", "--sequential", rule=rule)[1]
                    for rule in verdict_suite.RULES
                ),
                bench.own(n, "one variant", "--variant", "adapter_rag")[1],
            ]
        for tool in options.tools:
            made = bench.peer(tool, n, ran, what=what)
            records += made
            if what == "run" and repeat == 0:
                bench.batches.update(verdict_table.best_batches(made))
    return records


def prepared(options: argparse.Namespace) -> Bench:
    work = options.work.absolute()
    adapter = verdict_suite.trained(work)
    asked = verdict_suite.data(max(options.n))
    base = verdict_suite.base()
    return Bench(
        work=work,
        suites={
            rule: verdict_suite.write(work / "suites" / rule, asked, adapter=adapter, rule=rule)
            for rule in verdict_suite.RULES
        },
        base=base,
        adapter=verdict_peers.with_base(adapter, base, work / "adapter_of_base"),
        pythons={tool: peer_envs.python(tool, options.envs) for tool in options.tools},
        env=environment(options.threads),
        batches={
            f"{tool}/{variant}": options.batches
            for tool in options.tools
            for variant in verdict_suite.VARIANTS
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--tools", nargs="*", default=list(verdict_peers.TOOLS))
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--envs", type=Path, default=peer_envs.default_folder())
    parser.add_argument(
        "--work", type=Path, default=peer_envs.default_folder().parent / "time_to_verdict"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    bench = prepared(options)
    records = []
    for n in sorted(options.n):
        records += one_size(bench, n, "run", options)
    # Last, when every side's files have been read before.
    records += one_size(bench, 1, "start-up", options)
    about = verdict_table.about(options.threads, bench.pythons)
    if options.json:
        text = json.dumps({"date": date.today().isoformat(), **about, "records": records}, indent=1)
        options.json.write_text(text + "\n", "utf-8")
    print(verdict_table.table(records, about))
    if not all(record.get("same_prompts", True) for record in records):
        raise SystemExit("the prompts' tokens are not the same everywhere: no figure here counts")


if __name__ == "__main__":
    main()
