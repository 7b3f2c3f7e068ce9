"""Several pieces of work: at once, in threads, with results in the order asked for; or those first that can be."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from threading import Condition
from typing import Generic, TypeVar

Done = TypeVar("Done")
AHEAD = 16
"""Results that may wait for an earlier one: so many are lost with it, should the process be killed."""


class Several(Generic[Done]):
    """Work that is numbered from 0, and how it is done several at once."""

    def __init__(
        self,
        work: Callable[[int], Done],
        *,
        at_once: int,
        may_begin: Callable[[int], bool],
        only_alone: Callable[[Done], bool],
        abandoned: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Begin nothing yet.

        Args:
            work: does the one of that number.
            at_once: how many are done at a time; with 1 there are no threads.
            may_begin: whether that one would be worked on at once; one that would only wait is put off while others
                would not.
            only_alone: whether such a result counts only where nothing else was done at the same time; then the work
                is done once more, alone.
            abandoned: makes what has begun end soon; entered where nobody waits for results any more, and left when
                all have ended.
        """
        self._work = work
        self._at_once = at_once
        self._may_begin = may_begin
        self._only_alone = only_alone
        self._abandoned = abandoned
        self._changed = Condition()
        self._at_work = 0
        self._to_be_alone = 0

    def in_order(self, total: int, on_wait: Callable[[int], None]) -> Generator[Done]:
        """Do them all.

        Args:
            total: how many there are.
            on_wait: called with each number before its result is waited for.

        Yields:
            What the work gives, for each as soon as it and all before it are done; what it raises is raised in its
            place.
        """
        if self._at_once == 1 or total < 2:
            for number in range(total):
                on_wait(number)
                yield self._work(number)
            return
        left = list(range(total))
        begun: dict[int, Future[Done]] = {}
        pool = ThreadPoolExecutor(self._at_once)
        try:
            for number in range(total):
                on_wait(number)
                while number not in begun or not begun[number].done():
                    at_work = [future for future in begun.values() if not future.done()]
                    while len(at_work) < self._at_once and left and left[0] < number + AHEAD:
                        soon = [each for each in left if each < number + AHEAD]
                        chosen = next(filter(self._may_begin, soon), soon[0])
                        left.remove(chosen)
                        begun[chosen] = pool.submit(self._done, chosen)
                        at_work.append(begun[chosen])
                    wait(at_work, return_when=FIRST_COMPLETED)
                yield begun.pop(number).result()
        except BaseException:
            with self._abandoned():
                pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()

    def _done(self, number: int) -> Done:
        with self._beside_others():
            done = self._work(number)
        if not self._only_alone(done):
            return done
        with self._alone():
            return self._work(number)

    @contextmanager
    def _beside_others(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._to_be_alone == 0)
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._changed:
            self._to_be_alone += 1
            self._changed.wait_for(lambda: self._at_work == 0)
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._to_be_alone -= 1
                self._at_work -= 1
                self._changed.notify_all()


def in_turns(needs: Sequence[set[str]], ready: Callable[[Collection[str]], set[str]]) -> Iterator[list[int]]:
    """The numbers of pieces of work, by turns: in each all that need not wait, or else all that is left.

    Args:
        needs: what each waits for.
        ready: those among these that are there, as each turn begins.

    >>> there = iter([{"numpy"}, {"numpy"}])
    >>> list(in_turns([{"torch"}, {"numpy"}, {"numpy", "torch"}, set()], lambda _: next(there)))
    [[1, 3], [0, 2]]
    """
    left = list(range(len(needs)))
    while left:
        there = ready(set().union(*(needs[number] for number in left)))
        turn = [number for number in left if needs[number] <= there] or left
        yield turn
        left = [number for number in left if number not in turn]
