"""Workers of a Ray cluster: shards handed out, answers taken one by one, the dead replaced."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines import ray_worker
from harness.engines.ray_cluster import Cluster
from harness.engines.ray_worker import Spec
from harness.engines.room import Layout
from harness.engines.sharding import Shard
from harness.errors import HarnessError, UsageError

DEATHS = 3
"""Workers in a row that may die over one shard (or before they are up) until it is an error."""
PATIENCE_S = 30.0
"""Without a sign of life, until the user is told what is waited for."""


@dataclass(eq=False)
class _Hired:
    """A worker as the driver sees it."""

    actor: Any
    awaited: Any
    """What comes next: a reference while it starts, then answers (a generator); None: nothing."""
    about: Mapping[str, Any] | None = None
    """None until it is up."""
    shard: Shard[Any] | None = None

    @property
    def name(self) -> str:
        return f"worker {self.about['pid']} on {self.about['host']}" if self.about else "a worker"


class Pool:
    """As many workers as there is work for, and at most as many as there is room for.

    All engines of a run share them: a worker keeps every base that it was asked for, so that
    two bases do not wait for each other's processor cores. ``layout`` says how many there may be
    and what each is given; it is asked when the first is needed. ``bases``: how many engines there
    will be. ``say``: tells the user.
    """

    def __init__(
        self,
        cluster: Cluster,
        layout: Callable[[], Layout],
        bases: int,
        say: Callable[[str], None],
    ) -> None:
        self._cluster, self._layout, self._bases, self._say = cluster, layout, bases, say
        self._room: Layout | None = None
        self._hired: list[_Hired] = []
        self._lost_starts = 0
        self._shipped: dict[str, Any] = {}
        self._users: set[object] = set()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are up, on whatever machine."""
        return [w.about["pid"] for w in self._hired if w.about]

    @property
    def most(self) -> int:
        """Workers that there may be."""
        return self._given().workers

    def join(self, user: object) -> None:
        """``user`` will need the workers; see ``leave``."""
        self._users.add(user)

    def leave(self, user: object) -> None:
        """The workers end with the last of their users, and with them the connection."""
        self._users.discard(user)
        if not self._users:
            for one in list(self._hired):
                self._drop(one)
            self._shipped.clear()
            self._room = None
            self._cluster.stop()

    def forget(self, spec: Spec) -> None:
        """The workers let go of this engine's model."""
        for one in self._hired:
            if one.about:
                one.actor.close.remote(spec)

    def run(
        self,
        method: str,
        spec: Spec,
        shards: Sequence[Shard[Any]],
        adapters: Mapping[str, str],
    ) -> Iterator[Any]:
        """One answer for every request of the shards, as they come.

        ``method``: of ``Worker``. ``adapters``: hash to folder of those that requests name. A
        shard whose worker dies is given to another, without the requests that were answered.
        Raises what the engine raises, and UsageError where workers die again and again.
        """
        waiting = deque(shards)
        try:
            while waiting or any(one.shard for one in self._hired):
                self._hire(len(waiting))
                self._hand_out(method, spec, waiting, adapters)
                for one in self._ready():
                    answer = self._next(one, waiting)
                    if answer is not None:
                        yield answer
        finally:
            # What nobody waits for must not hold up what is asked next.
            for one in [w for w in self._hired if w.shard]:
                self._drop(one)

    def _given(self) -> Layout:
        if self._room is None:
            self._room = self._layout()
        return self._room

    def _hire(self, wanted: int) -> None:
        """Start workers until all that is waiting has one, where there is room."""
        free = sum(1 for one in self._hired if not one.shard)
        room = self._given()
        for _ in range(min(wanted - free, room.workers - len(self._hired))):
            made = self._cluster.ray.remote(ray_worker.Worker)
            # Ray restarts nothing by itself: what was answered is known here alone.
            actor = made.options(
                num_cpus=room.cpus, num_gpus=room.gpus, max_restarts=0, max_task_retries=0
            ).remote(room.cpus, room.gpus, self._bases)
            self._hired.append(_Hired(actor, actor.about.remote()))

    def _hand_out(
        self, method: str, spec: Spec, waiting: deque[Shard[Any]], adapters: Mapping[str, str]
    ) -> None:
        # In the order of hiring, so that single requests go to one and the same.
        for one in self._hired:
            if waiting and one.about and not one.shard:
                one.shard = waiting.popleft()
                files = self._files(one, one.shard, adapters)
                call = getattr(one.actor, method).options(num_returns="streaming")
                one.awaited = call.remote(spec, list(one.shard.left.values()), files)

    def _files(self, one: _Hired, shard: Shard[Any], adapters: Mapping[str, str]) -> dict[str, Any]:
        """References to the adapters' files, for a worker on another machine."""
        if one.about is None or one.about["node"] == self._cluster.node():
            return {}
        for sha256, folder in adapters.items():
            if sha256 not in self._shipped:
                files = ray_worker.adapter_files(Path(folder))
                self._shipped[sha256] = self._cluster.ray.put(files)
        return {sha256: self._shipped[sha256] for sha256 in adapters}

    def _ready(self) -> list[_Hired]:
        """Workers with news; waits for one."""
        awaited = {one.awaited: one for one in self._hired if one.awaited is not None}
        started = time.monotonic()
        while True:
            ready, _ = self._cluster.ray.wait(list(awaited), timeout=PATIENCE_S)
            if ready:
                return [awaited[one] for one in ready]
            if not self.pids:
                waited = time.monotonic() - started
                self._say(f"Ray: no worker has been given room for {waited:.0f} s; still waiting")

    def _next(self, one: _Hired, waiting: deque[Shard[Any]]) -> Any:
        """The worker's next answer; None where its news is another."""
        errors = self._cluster.ray.exceptions
        dead = (
            errors.RayActorError,
            errors.OutOfMemoryError,
            errors.WorkerCrashedError,
            errors.ObjectLostError,
        )
        try:
            if one.shard is None:
                self._started(one, self._cluster.ray.get(one.awaited))
                return None
            answer = self._cluster.ray.get(next(one.awaited))
        except StopIteration:
            self._finished(one)
            return None
        except dead as error:
            self._died(one, waiting, error)
            return None
        except errors.RayTaskError as error:
            if isinstance(error.cause, HarnessError):
                raise error.cause from None
            raise
        if one.shard.left.pop(answer.key, None) is None:
            raise RuntimeError(f"{one.name} gave an answer that nobody had asked it for")
        one.shard.deaths = 0
        return answer

    def _started(self, one: _Hired, about: Mapping[str, Any]) -> None:
        other = ray_worker.differences(ray_worker.versions(), about["versions"])
        if other:
            raise UsageError(
                f"A worker on {about['host']} has other packages than this process: {other}. "
                "Install the same versions on every machine of the cluster (docs/ray.md)."
            )
        one.about, one.awaited, self._lost_starts = about, None, 0
        given = f"{self._given().cpus} threads" if not self._given().gpus else "a GPU"
        if 0 < self._given().gpus < 1:
            given = f"1/{1 / self._given().gpus:.0f} of a GPU"
        self._say(f"Ray: {one.name} is up, with {given}")

    def _finished(self, one: _Hired) -> None:
        if one.shard and one.shard.left:
            raise RuntimeError(f"{one.name} gave no answer to {len(one.shard.left)} requests")
        one.shard = one.awaited = None

    def _died(self, one: _Hired, waiting: deque[Shard[Any]], error: Exception) -> None:
        """What it had not answered goes to others, in halves: it may have been too much."""
        shard, lost = one.shard, 0
        self._drop(one)
        if shard is None:
            self._lost_starts += 1
            deaths = self._lost_starts
        else:
            shard.deaths += 1
            deaths, lost = shard.deaths, len(shard.left)
            waiting.extendleft(reversed(shard.halves()))
        if deaths >= DEATHS:
            raise UsageError(_dead(one, lost, error)) from error
        self._say(f"Ray: {one.name} died; its {lost} unanswered requests go to another")

    def _drop(self, one: _Hired) -> None:
        self._hired.remove(one)
        one.shard = one.awaited = None
        self._cluster.ray.kill(one.actor)


def _dead(one: _Hired, lost: int, error: Exception) -> str:
    over = f"over the same {lost} requests" if lost else "before they were up"
    return (
        f"{DEATHS} Ray workers in a row died {over}, the last of them {one.name}. Most often the "
        "memory ran out (the kernel or Ray then kills the process): ask for fewer --workers, or "
        f"shorten the prompts. Ray says: {error}"
    )
