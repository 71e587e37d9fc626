"""The soak in short form: it runs, every task ends well, and one Chromium is left. `make soak` is the long one."""

from tests.browser.soak import growth, soak


async def test_many_tasks_leave_one_chromium() -> None:
    assert await soak(6)


def test_growth_is_told_from_the_second_to_the_last_fifth() -> None:
    assert growth([300, 200, 200, 210, 205, 200, 205, 203, 201, 220]) < 0.10
    assert growth([100.0 + 20 * number for number in range(10)]) > 0.10
