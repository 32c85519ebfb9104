"""From jobs to calls: which steps are next, how many travel together, and which fit into no call at all. Pure."""

from collections.abc import Iterable

from consumer.sync import exchange
from consumer.sync.job import Job
from consumer.sync.step import Stage, Step
from consumer.xero.payloads import BATCH_BYTES, encode_body

# A step with the jobs that need it: a contact may serve several.
Assignment = tuple[Step, list[Job]]

# The list's name around the elements, and some room.
_WRAPPER_BYTES = 1_000
# What is taken out of Xero for changes before these are made there; that many of them share a call then.
_REMOVALS_AT_ONCE = 10


def next_assignments(jobs: Iterable[Job]) -> list[Assignment]:
    """Return steps of the first stage that any of `jobs` has, each once, with the jobs that it serves.

    Jobs that took something out of Xero go through to its replacement before any others go on, and few of them at a
    time take something out: what ends a pass, a limit or a death, then leaves few with their money missing.
    """
    open_jobs = [job for job in jobs if job.ending is None and job.next_steps()]
    open_jobs = [job for job in open_jobs if job.closes_gap] or open_jobs
    stage = min((job.next_steps()[0].stage for job in open_jobs), default=None)
    assignments: dict[tuple[str, str, str], Assignment] = {}
    for job in open_jobs:
        for step in job.next_steps():
            if step.stage == stage:
                _, served = assignments.setdefault((step.kind, step.order_id, step.local_id), (step, []))
                served.append(job)
    found = list(assignments.values())
    return found[:_REMOVALS_AT_ONCE] if stage in {Stage.PAYMENT_DELETE, Stage.DEALLOCATE} else found


def fits_a_call(step: Step) -> bool:
    """Whether `step` alone is small enough for Xero."""
    return _size_bytes(step) <= BATCH_BYTES - _WRAPPER_BYTES


def cut_into_calls(assignments: list[Assignment]) -> list[list[Assignment]]:
    """Cut a stage's steps into calls; orders whose calls got lost before travel in small company."""
    most = exchange.elements_per_call(assignments[0][0].stage)
    calls: list[list[Assignment]] = []
    limit = size_bytes = 0
    for assignment in sorted(assignments, key=_limit, reverse=True):
        own_limit, own_bytes = min(most, _limit(assignment)), _size_bytes(assignment[0])
        full = not calls or len(calls[-1]) >= min(limit, own_limit)
        if full or size_bytes + own_bytes > BATCH_BYTES - _WRAPPER_BYTES:
            calls.append([])
            limit, size_bytes = own_limit, 0
        limit = min(limit, own_limit)
        size_bytes += own_bytes
        calls[-1].append(assignment)
    return calls


def _limit(assignment: Assignment) -> int:
    return min(job.batch_limit for job in assignment[1])


def _size_bytes(step: Step) -> int:
    return len(encode_body(step.body)) + 1
