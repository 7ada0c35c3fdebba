"""The Ray cluster: one that is there (``RAY_ADDRESS``), or one on this machine for this run."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from typing import Any

from harness import models
from harness.engines.room import Machine
from harness.engines.threads import available
from harness.errors import MissingExtra, UsageError

REACH_S = 10.0
"""Until a cluster that does not answer is given up."""
OBJECTS = 256 << 20
"""Bytes for what travels between processes of one machine; Ray would take 30% of its memory."""


def require_ray() -> Any:
    """The ray module, with nothing sent to its makers; MissingExtra where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A worker without a GPU must not see one; Ray will do this by itself in times to come.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not address() and "ray" not in sys.modules:
        # Ray listens on every network interface, and whoever reaches it can run code. What it
        # starts for this run alone has a password that nobody else knows. It reads the variables
        # on import; where that has been, it stands by its own settings.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "ray", "--executor ray") from None
    return ray


def address() -> str | None:
    """Of the cluster to join, as Ray's own tools are told it."""
    return os.environ.get("RAY_ADDRESS") or None


@dataclass(frozen=True)
class Device:
    """Where the workers compute."""

    kind: str
    """``cpu``, ``cuda`` or ``mps``."""
    name: str
    """As it stands in the engine's identity."""
    memory: int = 0
    """Bytes of one GPU."""


class Cluster:
    """A connection that is made when it is first needed."""

    def __init__(self) -> None:
        self.ray = require_ray()
        self._mine = False

    def start(self) -> None:
        """Join the cluster, or start one on this machine. Raises UsageError where it cannot."""
        if self.ray.is_initialized():
            return
        where = address()
        if where and where.startswith("ray://"):
            raise UsageError(
                f"RAY_ADDRESS={where} is Ray Client, which cannot hand over answers one by one. "
                "Run on a machine of the cluster, with RAY_ADDRESS=auto."
            )
        if where:
            _check_reachable(where)
        options: dict[str, Any] = {"num_cpus": available(), "object_store_memory": OBJECTS}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            self.ray.init(
                address=where or "local",
                include_dashboard=None if where else False,
                log_to_driver=False,
                logging_level="ERROR",
                **({} if where else options),
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            there = f"join the cluster at RAY_ADDRESS={where}" if where else "start a cluster"
            raise UsageError(f"Ray cannot {there}: {error}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                # Ray's own would turn SIGTERM into an exit with a code of its choice.
                signal.signal(signal.SIGTERM, handler)
        self._mine = True

    def stop(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._mine:
            self._mine = False
            self.ray.shutdown()

    def machines(self) -> list[Machine]:
        self.start()
        found = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [
            Machine(int(r.get("CPU", 0)), int(r.get("GPU", 0)), int(r.get("memory", 0)))
            for r in found
        ]

    def node(self) -> str:
        """Id of the machine that this process runs on."""
        return str(self.ray.get_runtime_context().get_node_id())

    def device(self, asked: str) -> Device:
        """Where workers will compute, for a ``--device``. Raises UsageError where none can."""
        if asked.startswith("cuda:"):
            raise UsageError(f"--device {asked}: Ray chooses among the GPUs. Use --device cuda.")
        if not address():
            return _device(models.pick_device(asked))
        gpus = sum(m.gpus for m in self.machines())
        if asked == "auto":
            asked = "cuda" if gpus else "cpu"
        if asked != "cuda":
            return Device(asked, asked)
        if not gpus:
            raise UsageError(
                "--device cuda: no machine of the cluster has a GPU. Use --device cpu."
            )
        # A hundredth of a GPU: enough to be shown one.
        look = self.ray.remote(_device).options(num_cpus=0, num_gpus=0.01)
        try:
            found: Device = self.ray.get(look.remote("cuda"))
        except self.ray.exceptions.RayError as error:
            raise UsageError(f"No GPU of the cluster can be looked at: {error}") from error
        return found


def _check_reachable(where: str) -> None:
    """Ray itself would try for ten minutes."""
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except OSError as error:
        raise UsageError(
            f"Nothing answers at RAY_ADDRESS={where} ({error}). Start the cluster with `ray start "
            "--head`, correct the address, or unset it for workers on this machine alone."
        ) from error


def _device(kind: str) -> Device:
    """The device of this process."""
    torch = models.require_torch()
    memory = torch.cuda.get_device_properties(0).total_memory if kind == "cuda" else 0
    return Device(kind, models.device_name(kind), memory)
