import pytest

from tui.kube.backoff import Backoff, jitter


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_grows_by_two_to_its_longest():
    backoff = Backoff(0.2, 30, spread=lambda: 0.5)
    waits = [backoff.next() for _ in range(12)]
    assert waits[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])
    assert waits[-1] == pytest.approx(30)


def test_two_healthy_minutes_are_forgotten_and_less_is_not():
    clock = Clock()
    backoff = Backoff(1, 30, clock=clock, spread=lambda: 0.5)
    backoff.next(), backoff.next()
    backoff.healthy()
    clock.now += 100
    backoff.healthy()  # does not start the healthy time again
    clock.now += 19
    assert backoff.next() == pytest.approx(4)
    backoff.healthy()
    clock.now += 121
    assert backoff.next() == pytest.approx(1)


def test_the_servers_wish_is_never_undercut():
    backoff = Backoff(0.2, 30)
    assert 7 <= backoff.next(7) <= 7.8
    assert backoff.next(1e9) <= 660


def test_jitter_spreads():
    backoff = Backoff(10, 30)
    assert len({round(Backoff(10, 30).next(), 6) for _ in range(10)}) > 5
    assert 7.5 <= backoff.next() <= 12.5
    assert all(8 <= jitter(10) <= 12 for _ in range(100))
