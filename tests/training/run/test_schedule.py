import pytest

from nextchar_training.config import Schedule, TrainingConfig
from nextchar_training.run.schedule import Length, learning_rate, run_length


def test_the_rate_warms_up_peaks_and_ends_at_a_hundredth() -> None:
    config = TrainingConfig(corpus="x", name="x", steps=1, learning_rate=1.0, warmup=0.02)
    assert learning_rate(config, 0.0) == 0.01
    assert learning_rate(config, 0.01) == pytest.approx(0.5)
    assert learning_rate(config, 0.02) == pytest.approx(1.0)
    assert learning_rate(config, 0.51) == pytest.approx(0.505)
    assert learning_rate(config, 1.0) == pytest.approx(0.01)


@pytest.mark.parametrize(("schedule", "half"), [("cosine", 0.505), ("linear", 0.505), ("constant", 1.0)])
def test_a_schedule_goes_from_its_peak_to_its_end(schedule: Schedule, half: float) -> None:
    config = TrainingConfig(corpus="x", name="x", learning_rate=1.0, warmup=0.0, schedule=schedule)
    rates = [learning_rate(config, k / 10) for k in range(11)]
    assert rates == sorted(rates, reverse=True)
    assert (rates[0], rates[5]) == pytest.approx((1.0, half))
    assert rates[10] == pytest.approx(1.0 if schedule == "constant" else 0.01)


def test_a_length_in_epochs_is_a_whole_number_of_steps() -> None:
    config = TrainingConfig(corpus="x", name="x", epochs=1.5)
    assert run_length(config, steps_per_epoch=10.1) == Length(16, None)


def test_a_length_in_minutes_follows_the_time_and_not_the_steps() -> None:
    length = run_length(TrainingConfig(corpus="x", name="x", max_minutes=2), steps_per_epoch=10)
    assert length.fraction(step=10_000, elapsed_s=30) == 0.25
    assert length.fraction(step=0, elapsed_s=500) == 1.0


def test_a_length_in_steps_and_minutes_ends_with_what_comes_first() -> None:
    config = TrainingConfig(corpus="x", name="x", epochs=2, max_minutes=2)
    length = run_length(config, steps_per_epoch=50)
    assert length.fraction(step=50, elapsed_s=30) == 0.5  # quick enough: as without a limit
    assert length.fraction(step=10, elapsed_s=60) == 0.5  # too slow: the schedule follows the time
    assert length.fraction(step=100, elapsed_s=100) == length.fraction(step=30, elapsed_s=120) == 1.0
    assert length.left_s(step=50, elapsed_s=30, step_s=0.5) == 25
    assert length.left_s(step=50, elapsed_s=30, step_s=10) == 90
