import asyncio
import contextvars

import pytest

from peer._eager import begin

WHERE = contextvars.ContextVar("where", default="nowhere")


async def turns(count=3):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_runs_up_to_its_first_await_at_once():
    log = []

    async def work():
        log.append("begins")
        await asyncio.sleep(0)
        log.append("ends")
        return "done"

    task = begin(work())
    assert log == ["begins"]
    assert await task == "done"
    assert log == ["begins", "ends"]


async def test_what_never_waits_is_over_at_once_and_its_task_in_the_next_turn():
    async def work():
        return "done"

    task = begin(work())
    assert not task.done()
    await asyncio.sleep(0)
    assert task.result() == "done"


@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_the_tasks(waits):
    async def work():
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no")

    task = begin(work())
    with pytest.raises(ValueError, match="no"):
        await task


async def test_a_failure_that_it_waits_for_is_raised_in_it():
    failure = asyncio.get_running_loop().create_future()

    async def work():
        try:
            await failure
        except ValueError as error:
            return str(error)

    task = begin(work())
    failure.set_exception(ValueError("no"))
    assert await task == "no"


async def test_every_step_finds_itself_in_the_same_task_and_the_caller_in_its_own():
    seen = []

    async def work():
        seen.append(asyncio.current_task())
        async with asyncio.timeout(60):  # which asks for it, too
            await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    here = asyncio.current_task()
    task = begin(work())
    assert asyncio.current_task() is here
    await task
    assert seen == [task, task]


async def test_it_begins_where_no_task_runs():
    tasks, turn = [], asyncio.Event()

    async def work():
        return asyncio.current_task()

    def callback():
        tasks.append(begin(work()))
        assert asyncio.current_task() is None
        turn.set()

    asyncio.get_running_loop().call_soon(callback)
    await turn.wait()
    assert await tasks[0] is tasks[0]


async def test_one_may_begin_another():
    log = []

    async def inner():
        log.append("inner")
        await asyncio.sleep(0)
        return asyncio.current_task()

    async def outer():
        here = asyncio.current_task()
        task = begin(inner())
        log.append("outer")
        assert asyncio.current_task() is here
        return await task is task

    assert await begin(outer())
    assert log == ["inner", "outer"]


async def test_every_step_has_a_copy_of_the_callers_context():
    seen = []

    async def work():
        seen.append(WHERE.get())
        WHERE.set("inside")
        await asyncio.sleep(0)
        seen.append(WHERE.get())

    WHERE.set("outside")
    await begin(work())
    assert seen == ["outside", "inside"]
    assert WHERE.get() == "outside"


async def test_several_may_wait_for_the_same_future():
    future = asyncio.get_running_loop().create_future()

    async def work():
        return await future

    async def other():
        return await future

    tasks = [begin(work()), begin(work()), asyncio.create_task(other()), begin(work())]
    await asyncio.sleep(0)
    future.set_result("here")
    assert await asyncio.gather(*tasks) == ["here"] * 4


@pytest.mark.parametrize("later", [0, 1, 2])
async def test_it_can_be_cancelled_at_any_time(later):
    log = []

    async def work():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("ended")

    task = begin(work())
    await turns(later)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["ended"]


async def test_it_may_survive_being_cancelled_at_once():
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return "survived"

    task = begin(work())
    task.cancel()
    assert await task == "survived"


async def test_what_is_over_at_once_cannot_be_cancelled_any_more():
    async def work():
        return "done"

    task = begin(work())
    task.cancel()
    assert await task == "done"


async def test_it_is_among_all_tasks_while_it_runs():
    released = asyncio.Event()
    task = begin(released.wait())
    assert task in asyncio.all_tasks()
    released.set()
    assert await task is True
