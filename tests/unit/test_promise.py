import asyncio
import gc
import inspect
import traceback

import pytest

from peer._promise import Promise, promised, rejected, resolved


class Failure(Exception):
    """What the operations of these tests fail with."""


def soon(settle, *arguments):
    """Settle a promise in the next turn."""
    asyncio.get_running_loop().call_soon(settle, *arguments)


async def awaiting(promise):
    return await promise


async def turns(count=3):
    """Let everything run that is due in the next turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def messages(loop_errors):
    """What was reported, which is taken back."""
    found = [(context["message"], context.get("exception")) for context in loop_errors]
    loop_errors.clear()
    return found


# Awaiting


async def test_a_promise_gives_its_value_to_who_awaits_it():
    promise = Promise("call")
    soon(promise.resolve, 5)
    assert await promise == 5


@pytest.mark.parametrize("value", [None, 0, "", ValueError("a value, not a failure")])
async def test_every_object_is_a_value(value):
    promise = Promise("call")
    soon(promise.resolve, value)
    assert await promise is value
    assert promise.result() is value


async def test_a_promise_gives_its_error_to_who_awaits_it():
    promise = Promise("call")
    soon(promise.reject, Failure("no"))
    with pytest.raises(Failure, match="no"):
        await promise


async def test_a_promise_can_be_awaited_again():
    promise = Promise("call")
    soon(promise.resolve, 5)
    assert [await promise, await promise] == [5, 5]
    failure = rejected("call", Failure("no"))
    for _ in range(2):
        with pytest.raises(Failure):
            await failure


async def test_awaiting_a_settled_promise_does_not_wait():
    order = []

    async def other():
        order.append("other")

    task = asyncio.create_task(other())
    await resolved("call", None)
    with pytest.raises(Failure):
        await rejected("call", Failure("no"))
    assert order == []
    await task


async def test_all_who_await_a_promise_are_served_in_the_order_in_which_they_came():
    promise, served = Promise("call"), []

    async def await_as(name):
        served.append((name, await promise))

    tasks = [asyncio.create_task(await_as(name)) for name in "abc"]
    await turns(1)
    promise.resolve(5)
    await asyncio.gather(*tasks)
    assert served == [("a", 5), ("b", 5), ("c", 5)]


async def test_a_cancelled_awaiter_takes_nothing_from_the_others():
    promise = Promise("call")
    impatient, patient = asyncio.create_task(awaiting(promise)), asyncio.create_task(awaiting(promise))
    await turns(1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert not promise.done()
    promise.resolve(5)
    assert await patient == 5
    assert await promise == 5


async def test_an_awaiter_that_gives_up_does_not_end_the_operation():
    promise = Promise("call")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await promise
    assert not promise.done()
    promise.resolve(5)
    assert await promise == 5


async def test_an_awaiter_that_is_cancelled_in_the_turn_of_the_settling_is_cancelled():
    promise = Promise("call")
    task = asyncio.create_task(awaiting(promise))
    await turns(1)
    promise.resolve(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert promise.result() == 5


async def test_an_awaiter_that_is_cancelled_first_is_not_woken_by_the_settling():
    promise = Promise("call")
    task = asyncio.create_task(awaiting(promise))
    await turns(1)
    task.cancel()
    promise.resolve(5)
    with pytest.raises(asyncio.CancelledError):
        await task


# The outcome


async def test_a_promise_says_how_it_stands():
    promise = Promise("createOffer")
    assert not promise.done()
    assert repr(promise) == "<Promise of createOffer pending>"
    with pytest.raises(asyncio.InvalidStateError, match="createOffer is still under way"):
        promise.result()
    promise.resolve(5)
    assert promise.done()
    assert promise.result() == 5
    assert repr(promise) == "<Promise of createOffer fulfilled>"


async def test_a_rejected_promise_says_so_and_raises_its_error():
    error = Failure("no")
    promise = rejected("createOffer", error)
    assert promise.done()
    assert repr(promise) == "<Promise of createOffer rejected>"
    with pytest.raises(Failure) as caught:
        promise.result()
    assert caught.value is error


OUTCOMES = {
    "fulfilled": lambda promise: promise.resolve(5),
    "rejected": lambda promise: promise.reject(Failure("no")),
    "abandoned": lambda promise: promise.abandon(),
}


def outcome(promise):
    try:
        return promise.result()
    except (Failure, asyncio.CancelledError) as error:
        return type(error)


@pytest.mark.parametrize("first", OUTCOMES)
@pytest.mark.parametrize("second", OUTCOMES)
async def test_what_is_settled_stays_as_it_is(first, second):
    promise = Promise("call")
    OUTCOMES[first](promise)
    before = outcome(promise)
    OUTCOMES[second](promise)
    assert outcome(promise) == before
    assert repr(promise) == f"<Promise of call {first}>"


async def test_the_traceback_begins_where_it_is_awaited_and_does_not_grow_with_each_await():
    def fail(promise):
        try:
            raise Failure("no") from ValueError("the cause")
        except Failure as error:
            promise.reject(error)

    promise = Promise("call")
    fail(promise)
    seen = []
    for _ in range(3):
        with pytest.raises(Failure) as caught:
            await promise
        seen.append([frame.name for frame in traceback.extract_tb(caught.value.__traceback__)])
    assert seen[0][0] == inspect.currentframe().f_code.co_name
    assert "fail" not in seen[0]
    assert seen[1] == seen[2] == seen[0]
    assert repr(caught.value.__cause__) == "ValueError('the cause')"


# Failures that nobody awaited


async def test_a_failure_that_nobody_awaited_is_reported_at_once_when_the_promise_is_dropped(loop_errors):
    error = Failure("no")
    promise = Promise("setLocalDescription")
    promise.reject(error)
    await turns()
    assert messages(loop_errors) == []
    del promise
    assert messages(loop_errors) == [("setLocalDescription failed, and nobody awaited it", error)]
    gc.collect()
    await turns()
    assert messages(loop_errors) == []


async def test_a_failure_with_a_traceback_is_reported_as_promptly(loop_errors):
    def fail():
        promise = Promise("call")
        try:
            raise Failure("no")
        except Failure as error:
            promise.reject(error)
        return promise

    gc.collect()
    gc.disable()
    try:
        fail()
        assert [message for message, _ in messages(loop_errors)] == ["call failed, and nobody awaited it"]
    finally:
        gc.enable()


async def test_a_failure_that_somebody_awaited_is_not_reported(loop_errors):
    promise = Promise("call")
    task = asyncio.create_task(awaiting(promise))
    await turns(1)
    promise.reject(Failure("no"))
    with pytest.raises(Failure):
        await task
    del promise, task
    gc.collect()
    assert messages(loop_errors) == []


async def test_a_failure_whose_only_awaiter_was_cancelled_is_reported(loop_errors):
    promise = Promise("call")
    task = asyncio.create_task(awaiting(promise))
    await turns(1)
    task.cancel()
    promise.reject(Failure("no"))
    with pytest.raises(asyncio.CancelledError):
        await task
    await turns(1)  # while this turn lasts, asyncio holds the CancelledError, and thereby the awaiter's frame
    del promise, task
    assert [message for message, _ in messages(loop_errors)] == ["call failed, and nobody awaited it"]


@pytest.mark.parametrize("settle", [lambda promise: None, lambda p: p.resolve(5), lambda p: p.abandon()])
async def test_only_failures_are_reported(loop_errors, settle):
    promise = Promise("call")
    settle(promise)
    del promise
    gc.collect()
    assert messages(loop_errors) == []


def test_a_failure_is_reported_even_when_the_loop_is_closed():
    reports = []

    async def fail():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        return [rejected("call", Failure("no"))]

    with asyncio.Runner() as runner:
        kept = runner.run(fail())
    kept.clear()
    gc.collect()
    assert [report["message"] for report in reports] == ["call failed, and nobody awaited it"]


# Abandoned promises


async def test_who_awaits_an_abandoned_promise_is_cancelled():
    promise, cleaned_up = Promise("createOffer"), []

    async def user():
        try:
            await promise
        finally:
            cleaned_up.append(True)

    task = asyncio.create_task(user())
    await turns(1)
    promise.abandon()
    with pytest.raises(asyncio.CancelledError, match="createOffer: the connection was closed"):
        await task
    assert task.cancelled()
    assert cleaned_up == [True]


async def test_who_comes_later_is_cancelled_too():
    promise = Promise("call")
    promise.abandon()
    assert repr(promise) == "<Promise of call abandoned>"
    assert promise.done()
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await promise
    with pytest.raises(asyncio.CancelledError):
        promise.result()


async def test_all_awaiters_of_an_abandoned_promise_are_cancelled():
    promise = Promise("call")
    tasks = [asyncio.create_task(awaiting(promise)) for _ in range(3)]
    await turns(1)
    promise.abandon()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_a_group_ends_quietly_when_what_its_tasks_await_is_abandoned():
    promise = Promise("call")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(awaiting(promise))
        soon(promise.abandon)
    assert task.cancelled()


# Reactions


async def test_a_reaction_runs_in_the_turn_of_the_settling():
    promise, seen = Promise("call"), []
    promise.react(seen.append)
    promise.react(lambda settled: seen.append(settled.result()))
    promise.resolve(5)
    assert seen == [promise, 5]


async def test_a_reaction_to_a_settled_promise_runs_right_now():
    seen = []
    resolved("call", 5).react(lambda settled: seen.append(settled.result()))
    rejected("call", Failure("no")).react(lambda settled: seen.append(outcome(settled)))
    assert seen == [5, Failure]


async def test_a_reaction_runs_before_the_awaiters():
    promise, order = Promise("call"), []

    async def user():
        await promise
        order.append("awaiter")

    task = asyncio.create_task(user())
    await turns(1)
    promise.react(lambda settled: order.append("reaction"))
    promise.resolve(None)
    await task
    assert order == ["reaction", "awaiter"]


async def test_no_reaction_to_an_abandoned_promise_runs():
    promise, seen = Promise("call"), []
    promise.react(seen.append)
    promise.abandon()
    promise.react(seen.append)
    promise.resolve(5)
    assert seen == []


async def test_a_reaction_may_add_another():
    promise, seen = Promise("call"), []
    promise.react(lambda settled: settled.react(lambda again: seen.append(again.result())))
    promise.resolve(5)
    assert seen == [5]


async def test_a_reaction_heeds_a_failure_only_if_it_looks(loop_errors):
    promise = Promise("call")
    promise.react(lambda settled: None)
    promise.reject(Failure("no"))
    del promise
    assert [message for message, _ in messages(loop_errors)] == ["call failed, and nobody awaited it"]
    promise = Promise("call")
    promise.react(outcome)
    promise.reject(Failure("no"))
    del promise
    assert messages(loop_errors) == []


# Following


@pytest.mark.parametrize("settled_before", [True, False])
async def test_a_promise_that_follows_another_settles_as_it_does_in_the_same_turn(settled_before):
    for settle, expected in ((OUTCOMES["fulfilled"], 5), (OUTCOMES["rejected"], Failure)):
        leader, follower = Promise("work"), Promise("call")
        if settled_before:
            settle(leader)
        follower.follow(leader)
        assert follower.done() is settled_before
        if not settled_before:
            settle(leader)
        assert outcome(follower) == expected


async def test_a_follower_keeps_an_outcome_of_its_own():
    leader, follower = Promise("work"), Promise("call")
    follower.follow(leader)
    follower.resolve("mine")
    leader.resolve("theirs")
    assert follower.result() == "mine"


async def test_a_follower_of_an_abandoned_promise_stays_pending():
    leader, follower = Promise("work"), Promise("call")
    follower.follow(leader)
    leader.abandon()
    assert not follower.done()


async def test_the_failure_of_one_that_is_followed_is_reported_once_by_the_follower(loop_errors):
    leader, follower = Promise("work"), Promise("call")
    follower.follow(leader)
    leader.reject(Failure("no"))
    del leader
    gc.collect()
    assert messages(loop_errors) == []
    del follower
    assert [message for message, _ in messages(loop_errors)] == ["call failed, and nobody awaited it"]


async def test_the_failure_of_one_that_is_followed_is_not_reported_if_the_follower_is_awaited(loop_errors):
    leader, follower = Promise("work"), Promise("call")
    follower.follow(leader)
    leader.reject(Failure("no"))
    with pytest.raises(Failure):
        await follower
    del leader, follower
    gc.collect()
    assert messages(loop_errors) == []


async def test_a_failure_is_not_reported_after_its_follower_was_abandoned(loop_errors):
    leader, follower = Promise("work"), Promise("call")
    follower.follow(leader)
    follower.abandon()
    leader.reject(Failure("no"))
    del leader
    gc.collect()
    assert messages(loop_errors) == []


# As a coroutine


async def in_a_task(promise):
    return await asyncio.create_task(promise)


async def in_a_named_task(promise):
    task = asyncio.create_task(promise, name="a task")
    assert "a task" in repr(task)
    assert "call()" in repr(task)
    assert task.get_stack() == []  # there is no frame to show
    return await task


async def gathered(promise):
    other, value = await asyncio.gather(resolved("other", 1), promise)
    assert other == 1
    return value


async def gathered_twice(promise):
    one, two = await asyncio.gather(promise, promise)
    assert one == two
    return one


async def waited_for(promise):
    return await asyncio.wait_for(promise, 10)


async def shielded(promise):
    return await asyncio.shield(promise)


async def in_a_group(promise):
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(promise)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return task.result()


async def as_completed(promise):
    (first,) = asyncio.as_completed([promise])
    return await first


async def from_a_thread(promise):
    loop = asyncio.get_running_loop()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(promise, loop))


DRIVERS = [
    in_a_task,
    in_a_named_task,
    gathered,
    gathered_twice,
    waited_for,
    shielded,
    in_a_group,
    as_completed,
    from_a_thread,
]


@pytest.fixture(params=[False, True], ids=["not debugging", "debugging"])
async def debug(request):
    """Whether the loop is in debug mode, where asyncio looks at coroutines more closely."""
    loop = asyncio.get_running_loop()
    before = loop.get_debug()
    loop.set_debug(request.param)
    yield
    loop.set_debug(before)


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.usefixtures("debug")
async def test_a_promise_is_taken_for_a_coroutine_wherever_asyncio_wants_one(drive):
    promise = Promise("call")
    soon(promise.resolve, 5)
    assert await drive(promise) == 5
    assert await drive(resolved("call", 6)) == 6


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.usefixtures("debug")
async def test_a_failure_comes_out_of_it_too_and_counts_as_awaited(drive, loop_errors):
    promise = Promise("call")
    soon(promise.reject, Failure("no"))
    for failing in (promise, rejected("call", Failure("no"))):
        with pytest.raises(Failure):
            await drive(failing)
    del promise, failing
    gc.collect()
    assert messages(loop_errors) == []


@pytest.mark.parametrize("drive", DRIVERS)
async def test_who_drives_an_abandoned_promise_is_cancelled(drive):
    promise = Promise("call")
    task = asyncio.create_task(drive(promise))
    await turns(2)
    promise.abandon()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("debug", [False, True])
def test_asyncio_runs_a_promise(debug):
    async def begin():
        promise = Promise("call")
        soon(soon, promise.resolve, 5)
        return [promise]  # in a list, or it would be awaited

    with asyncio.Runner(debug=debug) as runner:
        (promise,) = runner.run(begin())
        assert runner.run(promise) == 5
    assert asyncio.run(resolved("call", 6), debug=debug) == 6


async def test_cancelling_the_task_of_a_promise_does_not_end_the_operation():
    promise = Promise("call")
    task = asyncio.create_task(promise)
    await turns(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not promise.done()
    promise.resolve(5)
    assert await promise == 5


async def test_a_task_that_is_cancelled_before_it_began_leaves_the_operation_alone():
    promise = Promise("call")
    task = asyncio.create_task(promise)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    promise.resolve(5)
    assert await promise == 5


async def test_a_timeout_does_not_end_the_operation():
    promise = Promise("call")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(promise, 0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(awaiting(promise), 0.001)
    promise.resolve(5)
    assert await promise == 5


async def test_a_promise_can_be_awaited_while_a_task_drives_it():
    promise = Promise("call")
    task = asyncio.create_task(promise)
    soon(soon, promise.resolve, 5)
    assert await promise == 5
    assert await task == 5
    assert await promise == 5


@pytest.mark.parametrize("drive", [in_a_task, gathered, waited_for])
async def test_a_promise_can_be_driven_again(drive):
    promise = Promise("call")
    soon(promise.resolve, 5)
    assert [await drive(promise), await drive(promise)] == [5, 5]


async def test_a_failure_is_raised_again_when_it_is_driven_again():
    promise = rejected("call", Failure("no"))
    for _ in range(2):
        with pytest.raises(Failure):
            await asyncio.wait_for(promise, 10)


async def test_two_tasks_can_drive_a_promise_at_the_same_time():
    promise = Promise("call")
    tasks = [asyncio.create_task(promise) for _ in range(2)]
    await turns(1)
    promise.resolve(5)
    assert await asyncio.gather(*tasks, return_exceptions=True) == [5, 5]


async def test_one_who_gave_up_may_wait_again():
    promise = Promise("call")
    task = asyncio.create_task(promise)
    await turns(1)
    task.cancel()
    await asyncio.wait([task])
    again = asyncio.create_task(promise)
    await turns(1)
    assert not again.done()
    promise.resolve(5)
    assert await again == 5


async def test_a_promise_looks_like_a_coroutine_and_an_awaitable():
    promise = resolved("call", 5)
    assert asyncio.iscoroutine(promise)
    assert inspect.isawaitable(promise)


async def test_closing_a_coroutine_that_was_not_begun_is_nothing():
    promise = Promise("call")
    promise.close()
    promise.resolve(5)
    assert await promise == 5


async def test_closing_a_coroutine_ends_the_waiting_and_not_the_operation():
    promise = Promise("call")
    assert asyncio.isfuture(promise.send(None))
    promise.close()
    promise.resolve(5)
    assert await promise == 5


async def test_what_is_thrown_into_a_coroutine_comes_out_of_it_begun_or_not():
    begun, fresh = Promise("call"), Promise("call")
    begun.send(None)
    for promise in (begun, fresh):
        with pytest.raises(Failure):
            promise.throw(Failure("no"))
        assert not promise.done()


# Calls where no loop runs


@pytest.fixture
def called():
    """The arguments of each call that was made."""
    return []


@pytest.fixture
def call(called):
    @promised
    def call(*arguments, **keywords):
        """What the call does."""
        called.append((arguments, keywords))
        return resolved("call", 5) if arguments else rejected("call", Failure("no"))

    return call


async def test_a_call_in_a_loop_is_made_at_once(call, called):
    promise = call(1, a=2)
    assert called == [((1,), {"a": 2})]
    assert isinstance(promise, Promise)
    assert await promise == 5


async def test_a_call_from_another_thread_is_made_when_it_is_first_awaited(call, called):
    later = await asyncio.to_thread(call, 1, a=2)
    assert called == []
    assert await later == 5
    assert called == [((1,), {"a": 2})]


async def test_a_call_from_another_thread_that_fails_says_so_to_who_awaits_it(call, called):
    later = await asyncio.to_thread(call)
    with pytest.raises(Failure, match="no"):
        await later
    assert called == [((), {})]


def test_a_call_before_the_loop_runs_is_made_when_it_runs(call, called):
    loop = asyncio.new_event_loop()
    try:
        later = call(1)
        assert called == []
        assert loop.run_until_complete(later) == 5
    finally:
        loop.close()
    assert called == [((1,), {})]


def test_a_call_looks_like_what_it_calls(call):
    assert (call.__name__, call.__doc__) == ("call", "What the call does.")
