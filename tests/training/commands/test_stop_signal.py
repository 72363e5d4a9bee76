import os
import signal

import pytest

from nextchar_training.commands.stop_signal import StopSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_has_its_usual_effect(number: signal.Signals) -> None:
    seen: list[int] = []
    before = signal.signal(number, lambda found, _: seen.append(found))
    try:
        with StopSignal() as stop:
            assert stop.number is None
            os.kill(os.getpid(), number)
            assert (stop.number, seen) == (number, [])
            os.kill(os.getpid(), number)
            assert seen == [number]
        with StopSignal() as unused:
            pass
        os.kill(os.getpid(), number)
        assert (unused.number, seen) == (None, [number, number])
    finally:
        signal.signal(number, before)
