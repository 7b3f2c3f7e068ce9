"""Work that is done several at once: its order, what is put off, what is done again alone, and how it is given up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.several import AHEAD, Several

WAIT_SECONDS = 30.0


@contextmanager
def nothing_to_abandon() -> Iterator[None]:
    yield


def several(work: Callable[[int], int], **changes: object) -> Several[int]:
    settings: dict[str, object] = {
        "at_once": 2,
        "may_begin": lambda _: True,
        "only_alone": lambda _: False,
        "abandoned": nothing_to_abandon,
    }
    return Several(work, **(settings | changes))  # type: ignore[arg-type]


def ignored(_: int) -> None:
    pass


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_results_come_in_the_order_of_their_numbers(at_once: int) -> None:
    waited: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    found = list(several(work, at_once=at_once).in_order(20, waited.append))
    assert found == [number * number for number in range(20)]
    assert waited == list(range(20))


def test_two_are_at_work_at_the_same_time() -> None:
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(WAIT_SECONDS)
        return number

    assert list(several(work).in_order(6, ignored)) == list(range(6))


def test_what_would_only_wait_is_put_off_while_others_would_not() -> None:
    ready, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number % 2:
            assert ready.wait(WAIT_SECONDS)
        elif number == 6:
            ready.set()
        return number

    found = several(work, may_begin=lambda number: number % 2 == 0 or ready.is_set()).in_order(8, ignored)
    assert list(found) == list(range(8))
    assert begun.index(6) < begun.index(1)


def test_no_result_waits_for_one_far_before_it() -> None:
    first, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            assert first.wait(WAIT_SECONDS)
        elif number == AHEAD - 1:
            time.sleep(0.05)
            first.set()
        return number

    found = several(work).in_order(3 * AHEAD, ignored)
    assert next(found) == 0
    assert max(begun) == AHEAD - 1
    assert list(found) == list(range(1, 3 * AHEAD))


def test_what_counts_only_alone_is_done_again_with_nothing_beside_it() -> None:
    lock, at_work, seen = threading.Lock(), set(), {3: 0, 4: 0}

    def work(number: int) -> int:
        with lock:
            at_work.add(number)
        time.sleep(0.002)
        with lock:
            beside = at_work - {number}
            at_work.discard(number)
        if number in seen:
            seen[number] += 1
            # The first result is doubtful, the second is the one that counts.
            return -1 if seen[number] == 1 else len(beside)
        return 0

    assert list(several(work, at_once=4, only_alone=lambda done: done < 0).in_order(12, ignored)) == [0] * 12
    assert seen == {3: 2, 4: 2}


def test_what_the_work_raises_is_raised_in_its_place_after_what_is_at_work_was_abandoned() -> None:
    ended, abandoned = threading.Event(), []

    @contextmanager
    def abandon() -> Iterator[None]:
        abandoned.append("begun")
        ended.set()
        yield
        abandoned.append("over")

    def work(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        if number == 2:
            assert ended.wait(WAIT_SECONDS)
        return number

    found = several(work, at_once=3, abandoned=abandon).in_order(9, ignored)
    assert next(found) == 0
    with pytest.raises(ValueError, match="one"):
        next(found)
    assert abandoned == ["begun", "over"]


def test_results_that_nobody_waits_for_any_more_are_abandoned() -> None:
    ended = threading.Event()

    @contextmanager
    def abandon() -> Iterator[None]:
        ended.set()
        yield

    def work(number: int) -> int:
        if number:
            assert ended.wait(WAIT_SECONDS)
        return number

    found = several(work, abandoned=abandon).in_order(5, ignored)
    assert next(found) == 0
    found.close()
    assert ended.is_set()
