"""Many solvers that each ask for one evaluation at a time, and get their answers together.

A library's adaptive solver calls its right-hand side and waits. With one thread for each solver, all of them wait for
one batch. So each image has its own steps, and the network still sees whole batches of one size.
"""

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

Vector = Float64[np.ndarray, " entries"]
RightHandSide = Callable[[float, Vector], Vector]


@dataclass(frozen=True)
class Question:
    """Where solver k wants to know the right-hand side."""

    k: int
    t: float
    y: Vector


class _LeftError(Exception):
    """Nobody is there any more to answer."""


def answered_together(
    solve: Callable[[int, RightHandSide], Any], count: int
) -> Generator[list[Question], list[Vector], list[Any]]:
    """Yield the open questions of all solve(k, f), k < count; a list of answers is sent back; return the results.

    What a solver raises is raised here. Each list has one question of every solver still at work, in order of k.
    """
    posted: queue.Queue[Question | int] = queue.Queue()
    answers: list[queue.Queue[Vector | None]] = [queue.Queue() for _ in range(count)]
    results: list[Any] = [None] * count
    errors: list[BaseException] = []

    def work(k: int) -> None:
        def ask(t: float, y: Vector) -> Vector:
            posted.put(Question(k, t, y))
            answer = answers[k].get()
            if answer is None:
                raise _LeftError
            return answer

        try:
            results[k] = solve(k, ask)
        except _LeftError:
            pass
        except BaseException as error:
            errors.append(error)
        posted.put(k)

    threads = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(count)]
    for thread in threads:
        thread.start()
    waiting: list[Question] = []
    alive = count
    try:
        while True:
            # Every solver either asks or ends before any question is answered, so the batch does not depend on timing.
            open_questions = []
            for _ in range(alive):
                item = posted.get()
                if isinstance(item, Question):
                    open_questions.append(item)
            alive = len(open_questions)
            waiting = sorted(open_questions, key=lambda question: question.k)
            if errors:
                raise errors[0]
            if not waiting:
                return results
            replies = yield waiting
            for question, reply in zip(waiting, replies, strict=True):
                answers[question.k].put(reply)
            waiting = []
    finally:
        for question in waiting:
            answers[question.k].put(None)
        for thread in threads:
            thread.join()
