"""Workers of a real Ray cluster on this machine, with the real small model."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra 'local' is not installed")


from harness import sources
from harness.engines import adapters, ray_worker
from harness.engines.local import LocalEngine
from harness.engines.ray_cluster import require_ray
from harness.engines.ray_engine import RayEngine
from harness.engines.threads import available
from harness.errors import PreflightError, UsageError
from harness.types import Forced, Request

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra 'ray' is not installed", allow_module_level=True)
ray = require_ray()

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(available() < 2, reason="two workers need two cores"),
]


class Told:
    """What the user is told; ``kill`` says whether a worker is killed that has just come up."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.kill = False

    def __call__(self, text: str) -> None:
        self.lines.append(text)
        up = re.fullmatch(r"Ray: worker (\d+) on .* is up, with .*", text)
        if up and self.kill:
            os.kill(int(up[1]), signal.SIGKILL)

    @property
    def deaths(self) -> list[int]:
        """Requests that each worker left when it died."""
        found = (re.fullmatch(r".* died; its (\d+) unanswered .*", line) for line in self.lines)
        return [int(match[1]) for match in found if match]


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def engine(smollm2: Path, told: Told) -> Iterator[RayEngine]:
    """Two workers of one thread; batches of two, so that answers come in several steps."""
    made = RayEngine(
        str(smollm2),
        smollm2,
        "fp32",
        weights_sha256=sources.weights_sha256(smollm2),
        device="cpu",
        workers=2,
        bases=1,
        say=told,
        max_rows=2,
    )
    yield made
    made.close()
    assert not ray.is_initialized(), "the cluster that was started here ends"


@pytest.fixture(scope="module")
def local(smollm2: Path) -> LocalEngine:
    weights = sources.weights_sha256(smollm2)
    return LocalEngine(smollm2, "fp32", weights_sha256=weights, device="cpu")


def requests(engine: Any, n: int = 12, adapter: Path | None = None) -> list[Request]:
    texts = [f"Say something about {'very ' * (i % 5)}old item {i}." for i in range(n)]
    prompts = engine.prompts([[{"role": "user", "content": text}] for text in texts])
    folder = str(adapter) if adapter else None
    sha256 = adapters.adapter_sha256(adapter) if adapter else None
    name = "adapted" if adapter else "bare"
    return [
        Request(f"{name}{i}", p, folder, sha256, max_new_tokens=6) for i, p in enumerate(prompts)
    ]


def test_a_cluster_is_joined_and_its_workers_are_sent_the_adapter(
    smollm2: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes of Ray's own for tests: a head that computes nothing, and one with a core."""
    from ray.cluster_utils import Cluster

    adapter = tmp_path / "adapter"
    shutil.copytree(lora, adapter)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        nodes.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", nodes.address)
        weights = sources.weights_sha256(smollm2)
        made = RayEngine(str(smollm2), smollm2, "fp32", weights_sha256=weights)
        assert made.device == "cpu", "what the cluster has, not this machine"
        asked = requests(made, 2, adapter)
        first = {c.key: c.text for c in made.complete(asked)}
        shutil.rmtree(adapter)
        assert {c.key: c.text for c in made.complete(asked)} == first
        made.close()
        assert not ray.is_initialized()
    finally:
        nodes.shutdown()


def test_it_says_of_itself_what_the_local_one_does(engine: RayEngine, local: LocalEngine) -> None:
    assert engine.identity == local.identity, "one cache serves both"
    assert engine.context_length == local.context_length
    assert engine.device == local.device


def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(
    engine: RayEngine, local: LocalEngine, lora: Path, told: Told
) -> None:
    asked = [*requests(engine), *requests(engine, adapter=lora)]
    before = len(told.deaths)
    answers = []
    for answer in engine.complete(asked):
        answers.append(answer)
        if len(answers) == 3:
            os.kill(engine.pool.pids[0], signal.SIGKILL)
    assert len(told.deaths) == before + 1
    assert told.deaths[-1] > 0, "it was in the middle of its work"
    assert sorted(a.key for a in answers) == sorted(r.key for r in asked)
    expected = {c.key: replace(c, latency_s=0.0) for c in local.complete(asked)}
    assert {a.key: replace(a, latency_s=0.0) for a in answers} == expected


def test_likelihoods_are_the_local_ones(engine: RayEngine, local: LocalEngine, lora: Path) -> None:
    asked = [
        Forced(f"{r.key} {target}", r.prompt, target, r.adapter, r.adapter_sha256)
        for r in [*requests(engine, 3), *requests(engine, 3, lora)]
        for target in ("Gold.", "I do not know.")
    ]
    found = {one.key: one for one in engine.likelihoods(asked)}
    assert len(found) == len(asked)
    for one in local.likelihoods(asked):
        # Batches differ, and with them the last bits.
        assert found[one.key].log_likelihood == pytest.approx(one.log_likelihood, rel=1e-5)
        assert found[one.key].tokens == one.tokens


def test_an_adapter_is_proved_by_a_worker(
    engine: RayEngine, local: LocalEngine, lora: Path
) -> None:
    found, expected = engine.prove(str(lora)), local.prove(str(lora))
    assert found["max_logit_change"] == pytest.approx(expected["max_logit_change"], rel=1e-4)
    assert found.keys() == expected.keys()


def test_what_a_worker_refuses_is_refused_here(
    engine: RayEngine, lora: Path, tmp_path: Path
) -> None:
    other = tmp_path / "adapter"
    shutil.copytree(lora, other)
    (asked,) = requests(engine, 1, other)
    config = other / "adapter_config.json"
    config.write_text(config.read_text("utf-8").replace('"lora_alpha": 8', '"lora_alpha": 9'))
    with pytest.raises(PreflightError, match="changed while the run was under way"):
        list(engine.complete([asked]))
    assert len(list(engine.complete(requests(engine, 2)))) == 2, "and it goes on after that"


def test_a_worker_without_the_adapter_is_sent_its_files(
    engine: RayEngine, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(engine.complete(requests(engine, 1)))  # so that there is a cluster
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    sha256 = adapters.adapter_sha256(lora)
    files = {sha256: ray.put(ray_worker.adapter_files(lora))}
    for _ in range(2):
        copy = ray_worker.adapter_here("/there/is/no/such/folder", sha256, files)
        assert copy.is_relative_to(tmp_path)
        assert adapters.adapter_sha256(copy) == sha256
    assert ray_worker.adapter_here(str(lora), sha256, {}) == lora


def test_two_bases_share_the_workers(smollm2: Path, engine: RayEngine) -> None:
    """Each with workers of its own would wait for the other's cores for ever."""
    weights = sources.weights_sha256(smollm2)
    second = RayEngine(str(smollm2), smollm2, "bf16", weights_sha256=weights, like=engine)
    for one in (engine, second, engine):
        assert len(list(one.complete(requests(one, 4)))) == 4
    assert len(engine.pool.pids) <= 2
    second.close()
    assert engine.pool.pids, "the first still needs them"


def test_workers_that_die_again_and_again_end_the_run(
    smollm2: Path, engine: RayEngine, told: Told
) -> None:
    told.kill = True
    for pid in engine.pool.pids:
        os.kill(pid, signal.SIGKILL)
    try:
        with pytest.raises(UsageError, match=r"3 Ray workers in a row died[^.]*\. .*memory"):
            list(engine.complete(requests(engine, 2)))
    finally:
        told.kill = False


def test_workers_with_other_packages_are_refused(
    engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in engine.pool.pids:
        os.kill(pid, signal.SIGKILL)
    real = ray_worker.versions()
    monkeypatch.setattr(ray_worker, "versions", lambda: {**real, "peft": "0.0.1"})
    with pytest.raises(UsageError, match=r"peft is .* there and 0\.0\.1 here"):
        list(engine.complete(requests(engine, 2)))


def test_a_worker_whose_weights_are_others_refuses(smollm2: Path, engine: RayEngine) -> None:
    spec = replace(engine._spec, weights_sha256="0" * 64, identity=(("weights_sha256", "0" * 64),))
    with pytest.raises(UsageError, match="would not give the answers of this run: weights_sha256"):
        ray_worker.opened(spec)
