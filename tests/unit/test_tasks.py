import asyncio
import contextlib
import gc

import pytest

from peer._promise import Promise, rejected, resolved
from peer._tasks import OperationsChain, TaskQueue


class Failure(Exception):
    """What the operations of these tests fail with."""


async def turns(count=3):
    """Let everything run that is due in the next turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def empty(queue):
    """Return when everything that was posted has run."""
    await queue.run("the last task", lambda: None)


def nothing():
    """What happens when a chain is empty, in tests that look at something else."""


def failing(sentence="no"):
    raise Failure(sentence)


def messages(loop_errors):
    """What was reported, which is taken back."""
    found = [(context["message"], str(context.get("exception"))) for context in loop_errors]
    loop_errors.clear()
    return found


@pytest.fixture
def log():
    """What happened, in order."""
    return []


# Tasks


async def test_tasks_run_in_the_order_in_which_they_were_queued(log):
    queue = TaskQueue()
    for number in range(5):
        queue.post(lambda number=number: log.append(number))
    assert log == []
    await empty(queue)
    assert log == [0, 1, 2, 3, 4]


async def test_there_is_one_task_a_turn(log):
    queue = TaskQueue()
    for number in range(3):
        queue.post(lambda number=number: log.append(number))
    for done in range(1, 4):
        await asyncio.sleep(0)
        assert log == list(range(done))


async def test_what_a_task_queues_runs_after_what_is_queued_already(log):
    queue = TaskQueue()
    queue.post(lambda: (log.append("first"), queue.post(lambda: log.append("third"))))
    queue.post(lambda: log.append("second"))
    await empty(queue)
    assert log == ["first", "second"]
    await empty(queue)
    assert log == ["first", "second", "third"]


async def test_code_behind_an_await_runs_before_the_task_after_the_one_that_woke_it(log):
    queue, promise = TaskQueue(), Promise("call")

    async def user():
        await promise
        log.append("behind the await")

    task = asyncio.create_task(user())
    await turns(1)
    queue.post(lambda: (promise.resolve(None), log.append("task 1")))
    queue.post(lambda: log.append("task 2"))
    await empty(queue)
    await task
    assert log == ["task 1", "behind the await", "task 2"]


async def test_code_behind_the_await_of_a_task_itself_runs_before_the_next_task(log):
    queue = TaskQueue()
    one, two = queue.run("one", lambda: log.append("task 1")), queue.run("two", lambda: log.append("task 2"))
    await one
    log.append("behind the await of 1")
    await two
    log.append("behind the await of 2")
    assert log == ["task 1", "behind the await of 1", "task 2", "behind the await of 2"]


async def test_what_a_task_starts_or_schedules_begins_before_the_next_task(log):
    queue, started = TaskQueue(), []

    async def handler():
        log.append("first step of a coroutine")
        await asyncio.sleep(0)
        log.append("second step")

    def task():
        log.append("task 1")
        started.append(asyncio.create_task(handler()))
        asyncio.get_running_loop().call_soon(log.append, "callback")

    queue.post(task)
    queue.post(lambda: log.append("task 2"))
    await empty(queue)
    await asyncio.gather(*started)
    assert log[:4] == ["task 1", "first step of a coroutine", "callback", "task 2"]


async def test_many_tasks_leave_room_for_others_between_any_two(log):
    queue = TaskQueue()
    loop = asyncio.get_running_loop()

    def tick():
        log.append("other")
        if log.count("task") < 100:
            loop.call_soon(tick)

    for _ in range(100):
        queue.post(lambda: log.append("task"))
    loop.call_soon(tick)
    await empty(queue)
    assert "".join(name[0] for name in log[:200]) in {"to" * 100, "ot" * 100}


async def test_a_task_that_raises_is_reported_and_stops_no_other(log, loop_errors):
    queue = TaskQueue()
    queue.post(failing)
    queue.post(lambda: log.append("next"))
    await empty(queue)
    assert log == ["next"]
    ((message, error),) = messages(loop_errors)
    assert "TaskQueue" in message
    assert error == "no"


async def test_a_promise_settles_with_the_outcome_of_its_task_in_the_same_turn(log):
    queue = TaskQueue()
    value, failure = queue.run("value", lambda: 5), queue.run("failure", failing)
    value.react(lambda settled: log.append(settled.result()))
    assert not value.done()
    await asyncio.sleep(0)
    assert log == [5]
    assert not failure.done()
    with pytest.raises(Failure, match="no"):
        await failure


async def test_a_failure_of_a_task_that_nobody_awaited_is_reported_in_the_same_turn(loop_errors):
    queue = TaskQueue()
    queue.run("createOffer", failing)
    await asyncio.sleep(0)
    assert messages(loop_errors) == [("createOffer failed, and nobody awaited it", "no")]


async def test_tasks_of_a_queue_that_is_closed_never_run(log):
    queue = TaskQueue()
    queue.post(lambda: log.append("task"))
    promise = queue.run("call", lambda: log.append("call"))
    queue.close()
    queue.post(lambda: log.append("late"))
    await turns()
    assert log == []
    assert not promise.done()


async def test_a_task_may_close_the_queue(log, loop_errors):
    queue = TaskQueue()
    queue.post(lambda: (log.append("last"), queue.close(), queue.post(lambda: log.append("late"))))
    queue.post(lambda: log.append("never"))
    await turns()
    assert log == ["last"]
    assert messages(loop_errors) == []


# The operations chain


def operation(log, name, work):
    """An operation that logs when it begins and returns *work*."""

    def begin():
        log.append(f"{name} begins")
        return work

    return begin


async def test_on_an_empty_chain_an_operation_begins_inside_the_call(log):
    chain = OperationsChain(nothing)
    promise = chain.chain("call", operation(log, "it", Promise("work")))
    assert log == ["it begins"]
    assert not promise.done()
    assert len(chain) == 1


async def test_an_operation_that_is_done_at_once_leaves_the_chain_empty(log):
    chain = OperationsChain(nothing)
    promise = chain.chain("call", lambda: resolved("work", 5))
    assert promise.result() == 5
    assert len(chain) == 0


@pytest.mark.parametrize("operation", [failing, lambda: rejected("work", Failure("no"))], ids=["raised", "rejected"])
async def test_an_operation_that_fails_at_once_rejects_inside_the_call(operation):
    chain = OperationsChain(nothing)
    promise = chain.chain("call", operation)
    with pytest.raises(Failure, match="no"):
        promise.result()
    assert len(chain) == 0


async def test_an_operation_waits_until_the_one_before_has_settled(log):
    chain, work = OperationsChain(nothing), Promise("work")
    chain.chain("one", operation(log, "one", work))
    two = chain.chain("two", operation(log, "two", resolved("two", 2)))
    await turns()
    assert log == ["one begins"]
    assert not two.done()
    assert len(chain) == 2
    work.resolve(1)
    assert log == ["one begins", "two begins"]
    assert two.result() == 2
    assert len(chain) == 0


async def test_operations_take_their_turn_in_the_order_of_the_calls(log):
    chain = OperationsChain(nothing)
    works = {name: Promise(name) for name in "abcd"}
    promises = [chain.chain(name, operation(log, name, work)) for name, work in works.items()]
    works["c"].resolve("c")  # it has not begun, so it is nobody's turn
    assert log == ["a begins"]
    works["a"].resolve("a")
    works["b"].resolve("b")
    works["d"].resolve("d")
    assert log == ["a begins", "b begins", "c begins", "d begins"]
    assert [promise.result() for promise in promises] == list("abcd")


async def test_a_failure_lets_the_next_operation_begin(log):
    chain, work = OperationsChain(nothing), Promise("work")
    one = chain.chain("one", lambda: work)
    two = chain.chain("two", failing)
    three = chain.chain("three", operation(log, "three", resolved("three", 3)))
    work.reject(Failure("first"))
    assert log == ["three begins"]
    with pytest.raises(Failure, match="first"):
        await one
    with pytest.raises(Failure, match="no"):
        await two
    assert await three == 3


@pytest.mark.parametrize("settle", [lambda work: work.resolve(1), lambda work: work.reject(Failure("no"))])
async def test_the_next_operation_begins_in_the_turn_of_the_settling_before_any_awaiter_of_the_last_one(log, settle):
    chain, work = OperationsChain(nothing), Promise("work")
    one = chain.chain("one", operation(log, "one", work))
    one.react(lambda settled: log.append("one settles"))
    chain.chain("two", operation(log, "two", resolved("two", None)))

    async def user():
        try:
            await one
        except Failure:
            pass
        finally:
            log.append("behind the await of one")

    task = asyncio.create_task(user())
    await turns(1)
    settle(work)
    log.append("end of the turn")
    await task
    assert log == ["one begins", "one settles", "two begins", "end of the turn", "behind the await of one"]


async def test_an_operation_may_chain_another_which_begins_when_it_has_settled(log):
    chain, inner = OperationsChain(nothing), []

    def outer():
        log.append("outer begins")
        inner.append(chain.chain("inner", operation(log, "inner", resolved("inner", None))))
        log.append("outer ends")
        return resolved("outer", None)

    assert chain.chain("outer", outer).done()
    assert log == ["outer begins", "outer ends", "inner begins"]
    assert inner[0].done()
    assert len(chain) == 0


async def test_a_reaction_may_chain_another_operation(log):
    chain, work = OperationsChain(nothing), Promise("work")
    one = chain.chain("one", lambda: work)
    one.react(lambda settled: chain.chain("three", operation(log, "three", resolved("three", None))))
    chain.chain("two", operation(log, "two", resolved("two", None)))
    work.resolve(None)
    assert log == ["two begins", "three begins"]
    assert len(chain) == 0


MANY = 10_000


@pytest.mark.parametrize(
    "fail",
    [failing, lambda: rejected("work", Failure("no")), lambda: resolved("work", None)],
    ids=["raised", "rejected", "resolved"],
)
async def test_ten_thousand_operations_that_settle_at_once_do_not_nest(fail):
    chain, work = OperationsChain(nothing), Promise("work")
    first = chain.chain("first", lambda: work)
    others = [chain.chain("other", fail) for _ in range(MANY)]
    assert len(chain) == MANY + 1
    work.resolve(None)
    assert len(chain) == 0
    assert first.done()
    assert all(promise.done() for promise in others)
    for promise in others:
        with contextlib.suppress(Failure):
            assert promise.result() is None


async def test_ten_thousand_failures_that_nobody_awaited_are_ten_thousand_reports(loop_errors):
    chain, work = OperationsChain(nothing), Promise("work")
    chain.chain("first", lambda: work)
    for _ in range(MANY):
        chain.chain("addIceCandidate", failing)
    work.resolve(None)
    assert messages(loop_errors) == [("addIceCandidate failed, and nobody awaited it", "no")] * MANY


async def test_a_failure_is_reported_once_and_at_once_if_nobody_awaits_it(loop_errors):
    chain, work = OperationsChain(nothing), [Promise("work")]
    chain.chain("raised", failing)
    chain.chain("rejected", lambda: rejected("work", Failure("no")))
    expected = [(f"{name} failed, and nobody awaited it", "no") for name in ("raised", "rejected", "late")]
    assert messages(loop_errors) == expected[:2]
    chain.chain("late", lambda: work[0])
    work.pop().reject(Failure("no"))
    assert messages(loop_errors) == expected[2:]
    gc.collect()
    await turns()
    assert messages(loop_errors) == []


async def test_a_failure_that_is_awaited_is_not_reported(loop_errors):
    chain, work = OperationsChain(nothing), [Promise("work")]
    promise = chain.chain("call", lambda: work[0])
    work.pop().reject(Failure("no"))
    with pytest.raises(Failure):
        await promise
    del promise
    gc.collect()
    assert messages(loop_errors) == []


async def test_an_abandoned_chain_cancels_all_who_wait_for_it_and_begins_nothing(log):
    chain, work = OperationsChain(nothing), Promise("work")
    promises = [chain.chain("one", operation(log, "one", work)), chain.chain("two", operation(log, "two", None))]
    tasks = [asyncio.create_task(promise) for promise in promises]
    await turns(1)
    chain.abandon()
    assert len(chain) == 0
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert log == ["one begins"]


@pytest.mark.parametrize("settle", [lambda work: work.resolve(1), lambda work: work.abandon()])
async def test_what_was_under_way_when_the_chain_was_abandoned_may_end_unheard(log, settle):
    chain, work = OperationsChain(nothing), Promise("work")
    promise = chain.chain("one", lambda: work)
    chain.chain("two", operation(log, "two", resolved("two", None)))
    chain.abandon()
    settle(work)
    await turns()
    assert log == []
    with pytest.raises(asyncio.CancelledError):
        promise.result()


async def test_what_fails_after_the_chain_was_abandoned_is_not_reported(loop_errors):
    chain, work = OperationsChain(nothing), [Promise("work")]
    chain.chain("call", lambda: work[0])
    chain.abandon()
    work.pop().reject(Failure("no"))
    gc.collect()
    assert messages(loop_errors) == []


async def test_abandoning_an_empty_chain_is_nothing():
    chain = OperationsChain(nothing)
    chain.abandon()
    assert chain.chain("call", lambda: resolved("work", 5)).result() == 5


@pytest.mark.parametrize(
    "end",
    [lambda: resolved("work", 5), failing, lambda: Promise("work")],
    ids=["resolved", "raised", "pending"],
)
async def test_an_operation_may_abandon_the_chain_that_it_is_on(log, end):
    chain, first = OperationsChain(nothing), Promise("first")

    def closing():
        chain.abandon()
        return end()

    chain.chain("first", lambda: first)
    promise = chain.chain("call", closing)
    never = chain.chain("never", operation(log, "never", resolved("never", None)))
    first.resolve(None)
    for abandoned in (promise, never):
        with pytest.raises(asyncio.CancelledError):
            abandoned.result()
    assert log == []
    assert len(chain) == 0
    assert chain.chain("again", lambda: resolved("again", 5)).result() == 5


async def test_a_task_of_the_queue_and_an_operation_of_the_chain_work_together(log):
    """As in the connection: an operation is a task, and the next one begins in the turn of that task."""
    chain, queue = OperationsChain(nothing), TaskQueue()
    one = chain.chain("one", lambda: queue.run("one", lambda: log.append("task one")))
    two = chain.chain("two", lambda: log.append("two begins") or queue.run("two", lambda: log.append("task two")))
    queue.post(lambda: log.append("another task"))
    await one
    log.append("behind the await of one")
    await two
    assert log == ["task one", "two begins", "behind the await of one", "another task", "task two"]


async def test_who_made_a_chain_is_told_whenever_it_has_become_empty(log):
    chain, work = OperationsChain(lambda: log.append("empty")), Promise("work")
    chain.chain("first", operation(log, "first", work))
    chain.chain("second", lambda: resolved("work", None))
    assert log == ["first begins"]
    work.resolve(None)
    assert log == ["first begins", "empty"]
    chain.chain("third", lambda: resolved("work", None))
    assert log == ["first begins", "empty", "empty"]
    chain.chain("fourth", operation(log, "fourth", Promise("work")))
    chain.abandon()
    assert log == ["first begins", "empty", "empty", "fourth begins"]
