"""Work in children: results and errors come back, limits hold, a crash harms nobody else, cancelling really ends the work."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path

import pytest
import worker_tasks

from twin_model.errors import SourceRefused, WorkerEnded, WorkerOutOfMemory, WorkerTooSlow
from twin_model.workers import Workers, report


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2, memory_mib=512) as made:
        yield made


def test_results_come_back_in_the_order_they_were_asked_for(workers: Workers) -> None:
    assert list(workers.map(worker_tasks.double, range(5))) == [0, 2, 4, 6, 8]


def test_no_more_children_work_than_were_asked_for(workers: Workers) -> None:
    futures = [workers.submit(worker_tasks.process) for _ in range(8)]

    children = {future.result() for future in futures}

    assert len(children) <= 2 and os.getpid() not in children


def test_an_error_of_ours_comes_back_as_itself(workers: Workers) -> None:
    with pytest.raises(SourceRefused, match=r"a\.shp"):
        workers.submit(worker_tasks.refuse).result()


def test_a_crash_and_too_much_memory_end_one_task_and_the_next_one_works(workers: Workers) -> None:
    with pytest.raises(WorkerEnded, match="crash"):
        workers.submit(worker_tasks.crash).result()
    with pytest.raises(WorkerOutOfMemory, match="512 MiB"):
        workers.submit(worker_tasks.grow, 1024).result()
    with pytest.raises(WorkerOutOfMemory, match="512 MiB"):
        workers.submit(worker_tasks.grow, 65536).result()

    assert workers.submit(worker_tasks.grow, 64).result() == 64 * 2**20


def test_a_task_tells_how_far_it_is(workers: Workers) -> None:
    told: list[tuple[int, int | None]] = []
    heard = threading.Event()

    def listen(done: int, total: int | None) -> None:
        told.append((done, total))
        if done == total:
            heard.set()

    assert workers.submit_with_progress(listen, worker_tasks.count_to, 3).result() == 3

    assert heard.wait(10)
    assert told == [(1, 3), (2, 3), (3, 3)]
    report(1, 2)


def test_a_listener_that_fails_is_logged_once_and_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def listen(done: int, total: int | None) -> None:
        raise BrokenPipeError("the terminal is closed")

    with Workers(1) as workers:
        first = workers.submit_with_progress(listen, worker_tasks.count_to, 3)
        others = [workers.submit(worker_tasks.double, number) for number in range(700)]

        assert first.result(timeout=60) == 3
        assert [future.result(timeout=60) for future in others] == [2 * number for number in range(700)]

    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [BrokenPipeError]


def gone(process: int) -> bool:
    """Return whether a process ends within ten seconds: it is killed, but not by the call that asked for it."""
    end = time.monotonic() + 10
    while time.monotonic() < end and not _ended(process):
        threading.Event().wait(0.01)
    return _ended(process)


def _ended(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{process}/stat").read_text("ascii").split()[2] == "Z"


def started(path: Path) -> int:
    end = time.monotonic() + 30
    while not (path.exists() and path.read_text("utf-8")):
        assert time.monotonic() < end, "the task did not begin"
        threading.Event().wait(0.01)
    return int(path.read_text("utf-8"))


def test_cancelling_ends_the_child_whatever_it_does(workers: Workers, tmp_path: Path) -> None:
    future = workers.submit(worker_tasks.be_busy, str(tmp_path / "pid"), 60)
    child = started(tmp_path / "pid")

    assert future.cancel()

    with pytest.raises(CancelledError):
        future.result(timeout=30)
    wait([future])
    assert future.cancelled() and gone(child)


def test_a_task_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with Workers(1, seconds=1) as limited:
        future = limited.submit(worker_tasks.be_busy, str(tmp_path / "pid"), 60)

        with pytest.raises(WorkerTooSlow, match="be_busy.*1 s"):
            future.result(timeout=30)

        assert gone(started(tmp_path / "pid"))


def test_an_interrupt_ends_what_is_under_way(tmp_path: Path) -> None:
    child = 0

    with pytest.raises(KeyboardInterrupt), Workers(1) as workers:
        workers.submit(worker_tasks.be_busy, str(tmp_path / "pid"), 60)
        child = started(tmp_path / "pid")
        raise KeyboardInterrupt

    assert gone(child)


def test_shutting_down_at_once_leaves_no_child(tmp_path: Path) -> None:
    workers = Workers(1)
    future = workers.submit(worker_tasks.be_busy, str(tmp_path / "pid"), 60)
    child = started(tmp_path / "pid")

    workers.shutdown(cancel_futures=True)

    assert gone(child)
    with pytest.raises((CancelledError, WorkerEnded)):
        future.result(timeout=10)


def test_a_child_that_is_ended_while_it_answers_harms_no_other_task(workers: Workers) -> None:
    futures = [workers.submit(worker_tasks.answer_that_ends_its_child)]
    futures += [workers.submit(worker_tasks.double, number) for number in range(4)]

    with pytest.raises(WorkerEnded):
        futures[0].result(timeout=30)

    assert [future.result(timeout=30) for future in futures[1:]] == [0, 2, 4, 6]


def test_temporary_files_of_a_child_that_broke_down_are_gone(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(WorkerEnded):
        workers.submit(worker_tasks.leave_files, str(tmp_path / "folder")).result(timeout=30)

    assert not Path((tmp_path / "folder").read_text("utf-8")).exists()


def test_an_error_that_cannot_be_sent_is_told_in_its_words(workers: Workers) -> None:
    with pytest.raises(RuntimeError, match="Unpackable: no class of this module"):
        workers.submit(worker_tasks.fail_without_words).result(timeout=30)


def test_pages_of_a_file_are_no_memory_that_a_child_holds(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(256 * 2**20)

    with Workers(1, memory_mib=64) as workers:
        assert workers.submit(worker_tasks.look_into, str(path)).result(timeout=30) == 0


def test_children_end_with_a_caller_that_is_killed_and_those_that_broke_down_write_nothing(tmp_path: Path) -> None:
    """It takes a process of its own: a child in place of one that broke down would be made while its pool ends."""
    script, words = tmp_path / "caller.py", tmp_path / "words"
    script.write_text(
        "import time\nimport worker_tasks\nfrom twin_model.errors import WorkerEnded\n"
        "from twin_model.workers import Workers\n"
        "if __name__ == '__main__':\n    for _ in range(5):\n        try:\n            with Workers(2, preload=('worker_tasks',)) as workers:\n"
        "                workers.submit(worker_tasks.crash).result()\n        except WorkerEnded:\n            pass\n"
        f"    Workers(1).submit(worker_tasks.be_busy, {str(tmp_path / 'pid')!r}, 60)\n    time.sleep(60)\n",
        "utf-8",
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with words.open("w") as output:
        caller = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=output, stderr=output)
    child = started(tmp_path / "pid")

    caller.kill()
    caller.wait()

    assert gone(child)
    assert "Traceback" not in words.read_text("utf-8")
