"""``harness doctor``: what it finds, and that each thing missing has a remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest


def findings(done: Any) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return {f["name"]: f for f in json.loads(done.stdout)["findings"]}


def test_without_torch_and_network_it_answers(harness_cli: Any) -> None:
    done = harness_cli("doctor", "--offline", "--no-torch", "--json")
    found = findings(done)
    assert {"harness", "platform", "processors", "memory", "cache", "extra local"} <= set(found)
    assert "package index" not in found
    assert not [name for name in found if name.startswith(("device", "precision"))]
    assert all(f["state"] in ("ok", "note", "missing") for f in found.values())
    assert all(f["remedy"] for f in found.values() if f["state"] == "missing")


def test_what_is_out_of_reach_is_told_with_a_remedy(harness_cli: Any) -> None:
    env = {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HUB_OFFLINE": "",
        "HTTPS_PROXY": "",
        "https_proxy": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    done = harness_cli("doctor", "--no-torch", env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (hub,) = [i for i, line in enumerate(lines) if "model hub" in line]
    assert "refused" in lines[hub]
    assert "HF_ENDPOINT" in lines[hub + 1]
    (index,) = [i for i, line in enumerate(lines) if "package index" in line]
    assert lines[index].startswith("missing")
    assert "pip config set" in lines[index + 1]


def test_an_extra_that_is_not_there_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cli import _doctor

    monkeypatch.setitem(_doctor.EXTRAS, "local", ("no-such-package-of-ours",))
    (found,) = [f for f in _doctor.examine(offline=True, load=False) if f.name == "extra local"]
    assert found.state == "missing"
    assert found.remedy == "python -m pip install 'shipworthy[local]'"


def test_a_precision_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the extra 'local' is not installed")
    from harness.cli import _doctor

    found = {f.name: f for f in _doctor.examine(offline=True, load=True)}
    assert found["precision bf16"].state == "ok"
    assert [name for name in found if name.startswith("device")]
    monkeypatch.setattr(_doctor, "_compute", lambda precision: 1 / 0)
    broken = {f.name: f for f in _doctor.examine(offline=True, load=True)}
    assert broken["precision nf4"].state == "missing"
    assert broken["precision nf4"].remedy == "Use precision = 'bf16'."
