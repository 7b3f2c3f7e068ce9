"""What the kernel knows of a process: how long it ran, and how long it waited for a processor."""

import os
import time

_PROCESS_CLOCK = 2


class ProcessMeter:
    """Processor time of all threads of a process, and the run-queue delay of its main thread.

    The processor time comes from the process's own clock: /proc/PID/schedstat counts the main thread alone, and a
    variant that hands its work to helper threads would seem to do none.
    """

    def __init__(self, pid: int) -> None:
        # The number that clock_getcpuclockid(3) would give for the process.
        self._clock = (~pid << 3) | _PROCESS_CLOCK
        try:
            self._schedstat = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._schedstat = -1

    def read(self) -> tuple[int, int]:
        """Nanoseconds on a processor and waiting for one, since the process began; 0 where the kernel does not say."""
        return self._processor_ns(), self._queue_ns()

    def close(self) -> None:
        """Close the file."""
        if self._schedstat >= 0:
            os.close(self._schedstat)
            self._schedstat = -1

    def _processor_ns(self) -> int:
        try:
            return time.clock_gettime_ns(self._clock)
        except OSError:
            return 0

    def _queue_ns(self) -> int:
        try:
            return int(os.pread(self._schedstat, 100, 0).split()[1])
        except (OSError, IndexError, ValueError):
            return 0
