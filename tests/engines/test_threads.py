"""The number of threads follows the work: no clock is compared with another one here, as the work
itself says how long it takes."""

from __future__ import annotations

import pytest

from harness.engines import threads
from harness.engines.threads import EVERY, Threads, counts


class Machine:
    """Work whose seconds depend on the number of threads alone, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float]) -> None:
        self.seconds, self.now, self.threads = seconds, 0.0, 1
        self.done: list[int] = []
        monkeypatch.setattr(threads.time, "perf_counter", lambda: self.now)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def set_to(self, number: int) -> None:
        self.threads = number

    def work(self) -> None:
        self.now += self.seconds[self.threads]
        self.done.append(self.threads)


def test_numbers_that_are_tried_double_up_to_all_cores() -> None:
    assert [counts(n) for n in (1, 2, 3, 8, 12)] == [
        [1],
        [1, 2],
        [1, 2, 3],
        [1, 2, 4, 8],
        [1, 2, 4, 8, 12],
    ]


@pytest.mark.parametrize(("seconds", "best"), [({1: 3, 2: 2, 4: 1}, 4), ({1: 1, 2: 5, 4: 9}, 1)])
def test_the_fastest_is_taken(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], best: int
) -> None:
    machine = Machine(monkeypatch, {k: v / 100 for k, v in seconds.items()})
    chosen = Threads("cpu", machine.set_to, [1, 2, 4])
    chosen.settle(machine.work)
    assert (chosen.number, machine.threads) == (best, best)
    assert machine.now < threads.PROBE_S + 0.3


def test_slow_work_is_tried_once_with_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {1: 10.0, 2: 30.0})
    chosen = Threads("cpu", machine.set_to, [1, 2])
    chosen.settle(machine.work)
    assert machine.done[1:] == [1, 2], "after one that warms up"
    assert chosen.number == 1


def test_the_choice_follows_a_machine_that_becomes_busy_and_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, {1: 0.02, 2: 0.01})
    chosen = Threads("cpu", machine.set_to, [1, 2])
    chosen.settle(machine.work)
    for seconds, best in (({1: 0.02, 2: 0.2}, 1), ({1: 0.02, 2: 0.01}, 2)):
        machine.seconds = seconds
        for _ in range(4 * EVERY):
            chosen.watch(machine.work)
        assert (chosen.number, machine.threads) == (best, best)


def test_each_pass_is_done_once_whatever_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {1: 0.02, 2: 0.01})
    chosen = Threads("cpu", machine.set_to, [1, 2])
    for _ in range(3 * EVERY):
        chosen.watch(machine.work)
    assert len(machine.done) == 3 * EVERY


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_what_the_user_or_the_device_decides_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    machine = Machine(monkeypatch, {1: 1.0, 2: 1.0})
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    chosen = Threads(device, machine.set_to, [1, 2])
    chosen.settle(machine.work)
    chosen.watch(machine.work)
    assert (chosen.number, machine.threads, machine.done) == (None, 1, [1])
