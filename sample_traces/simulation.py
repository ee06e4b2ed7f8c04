"""A discrete-event simulation: processes are generators that wait for time to pass, for a slot, or for each other."""

import heapq
import random
from collections import deque
from collections.abc import Generator
from typing import Any

MS = 1_000_000
Process = Generator[Any, Any, Any]


class Task:
    """A running process; others may wait for its end."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.done = False
        self.result: Any = None
        self.waiting: list[Task] = []


class Pool:
    """A number of slots; whoever finds none free waits in line."""

    def __init__(self, slots: int) -> None:
        self.free = slots
        self.line: deque[Task] = deque()


class Simulation:
    """Runs processes on a clock of its own, in nanoseconds. A process yields a delay, a Pool or a list of Tasks."""

    def __init__(self, start_ns: int) -> None:
        self.now = start_ns
        self._heap: list[tuple[int, int, Task]] = []
        self._count = 0

    def start(self, process: Process, delay_ns: int = 0) -> Task:
        task = Task(process)
        self._at(self.now + delay_ns, task)
        return task

    def release(self, pool: Pool) -> None:
        """Give a slot back; the first in line goes on now."""
        if pool.line:
            self._at(self.now, pool.line.popleft())
        else:
            pool.free += 1

    def run(self) -> None:
        """Until nothing is left to do."""
        while self._heap:
            self.now, _, task = heapq.heappop(self._heap)
            self._step(task)

    def _at(self, time: int, task: Task) -> None:
        self._count += 1
        heapq.heappush(self._heap, (time, self._count, task))

    def _step(self, task: Task) -> None:
        try:
            wanted = next(task.process)
        except StopIteration as stop:
            task.done, task.result = True, stop.value
            for other in task.waiting:
                self._at(self.now, other)
            return
        if isinstance(wanted, int):
            self._at(self.now + max(0, wanted), task)
        elif isinstance(wanted, Pool):
            if wanted.free > 0:
                wanted.free -= 1
                self._at(self.now, task)
            else:
                wanted.line.append(task)
        else:
            open_tasks = [one for one in wanted if not one.done]
            if not open_tasks:
                self._at(self.now, task)
            else:
                gate = _Gate(len(open_tasks), task, self)
                for one in open_tasks:
                    one.waiting.append(Task(gate.arrive()))


class _Gate:
    """Lets a task go on when the last of several others has ended."""

    def __init__(self, missing: int, task: Task, simulation: Simulation) -> None:
        self.missing, self.task, self.simulation = missing, task, simulation

    def arrive(self) -> Process:
        self.missing -= 1
        if self.missing == 0:
            self.simulation._at(self.simulation.now, self.task)
        return
        yield


class Dice:
    """Random numbers of one request: each name has a stream of its own, so that changing one thing changes no other."""

    def __init__(self, seed: str) -> None:
        self.seed = seed

    def stream(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")

    def duration(self, name: str, median_ms: float, sigma: float = 0.25) -> int:
        """A log-normal duration in ns."""
        return max(20_000, int(self.stream(name).lognormvariate(0, sigma) * median_ms * MS))
