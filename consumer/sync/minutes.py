"""The minutes of a pass: what a call changed and which orders are through, written in one fenced transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from psycopg import Connection

from consumer.contract import RetryRequest
from consumer.database import load_queries
from consumer.results import (
    LogEntry,
    Problem,
    close_problems_without_orders,
    open_problem,
    record,
    record_skips,
    request_retry,
)
from consumer.sync.gate import Hold
from consumer.sync.job import Ending, Job
from consumer.sync.lease import Lease
from consumer.sync.link import Link
from consumer.sync.link_store import order_of, save_links
from consumer.sync.services import Services
from consumer.sync.settling import end_settlements, note_told

_QUERIES = load_queries(__file__, "queue.sql")
_log = structlog.get_logger()


class Minutes:
    """Collects, then writes all or nothing."""

    def __init__(self, connection: Connection[Any], lease: Lease, organisation_id: str, services: Services) -> None:
        self._connection = connection
        self._lease = lease
        self._organisation_id = organisation_id
        self._services = services
        self._links: list[Link] = []
        self._entries: list[tuple[LogEntry, Problem | None]] = []
        self._skips: list[LogEntry] = []
        self._finished: list[Job] = []
        # What each order met in this pass: it is held by one problem at most in the end.
        self._met: defaultdict[str, set[int]] = defaultdict(set)

    def link(self, link: Link) -> None:
        """Remember what Xero holds now."""
        self._links.append(link)

    def order_of(self, xero_id: str | None) -> str | None:
        """Return the order that a document in Xero is linked to, or None where it isn't one of ours."""
        return order_of(self._connection, self._lease.book, xero_id)

    def log(self, entry: LogEntry, problem: Problem | None = None) -> None:
        """Tell what was done, or why it failed: `problem` is opened, or met again."""
        self._entries.append((entry, problem))

    def skip(self, entry: LogEntry) -> None:
        """Tell what is deliberately not sent, unless it was told before."""
        self._skips.append(entry)

    def finish(self, job: Job) -> None:
        """Note that `job` is through, with its ending."""
        self._finished.append(job)

    def write(self, also: Callable[[Connection[Any]], None] | None = None) -> None:
        """Write everything in one transaction, `also` with it, and start afresh.

        Raises:
            LeaseLostError: the tenant is somebody else's; nothing was written.
        """
        with self._connection.transaction():
            self._lease.fence(self._connection)
            if also is not None:
                also(self._connection)
            save_links(self._connection, self._links)
            ids = self._open_problems()
            record(self._connection, self._entries_with(ids), self._services.encoder.log_entry)
            record_skips(self._connection, self._skips, self._services.encoder.log_entry)
            self._finish_orders(ids)
        self._count()
        self._links, self._entries, self._skips, self._finished = [], [], [], []

    def _open_problems(self) -> dict[tuple[str, str, str], int]:
        problems = {_key(entry.tenant_id, problem): problem for entry, problem in self._entries if problem is not None}
        for job in self._finished:
            if job.ending is not None and job.ending.problem is not None:
                problems.setdefault(_key(self._tenant_id, job.ending.problem), job.ending.problem)
        # In one order everywhere, or two tenants' passes could wait for each other.
        return {
            key: open_problem(self._connection, self._organisation_id, key[0] or None, problems[key])
            for key in sorted(problems)
        }

    def _entries_with(self, problem_ids: dict[tuple[str, str, str], int]) -> list[LogEntry]:
        entries = []
        for entry, problem in self._entries:
            if problem is None:
                entries.append(entry)
                continue
            problem_id = problem_ids[_key(entry.tenant_id, problem)]
            self._met[entry.order_id].add(problem_id)
            entries.append(msgspec.structs.replace(entry, problem_id=problem_id))
        return entries

    @property
    def _tenant_id(self) -> str | None:
        return None if self._lease.book.startswith("-:") else self._lease.book

    def _finish_orders(self, problem_ids: dict[tuple[str, str, str], int]) -> None:
        jobs = sorted(self._finished, key=lambda job: job.row.order_id)
        if not jobs:
            return
        endings = [_ending(job) for job in jobs]
        held = [self._problem_id(job, ending, problem_ids) for job, ending in zip(jobs, endings, strict=True)]
        order_ids = [job.row.order_id for job in jobs]
        self._connection.execute(_QUERIES["lock"], {"order_ids": order_ids})
        self._note_settlements(jobs)
        self._connection.execute(
            _QUERIES["finish"],
            {
                "order_ids": order_ids,
                "revisions": [job.row.revision for job in jobs],
                "due_at": [job.row.due_at for job in jobs],
                "synced": [ending.synced for ending in endings],
                "wait_seconds": [ending.wait_seconds for ending in endings],
                "holds": [None if ending.hold is None else ending.hold.value for ending in endings],
                "free_attempts": [ending.free_attempt for ending in endings],
                "answered": [ending.answered for ending in endings],
                "called": [job.called for job in jobs],
                "problem_ids": held,
                "tenant_ids": [self._tenant_id] * len(jobs),
                "unreconciled": [job.is_uncertain for job in jobs],
                "unfinished": [
                    job.is_unfinished and not ending.synced for job, ending in zip(jobs, endings, strict=True)
                ],
            },
        )
        self._post_retries(zip(jobs, endings, strict=True))
        gone = {job.row.problem_id for job in jobs if job.row.problem_id is not None}
        met = [self._met.pop(order_id, set()) for order_id in order_ids]
        # Also what they fail for now: somebody may have settled them meanwhile.
        now = {problem_id for problem_id in held if problem_id is not None}
        close_problems_without_orders(self._connection, sorted(gone.union(now, *met)))

    def _note_settlements(self, jobs: Iterable[Job]) -> None:
        told = [job.row.order_id for job in jobs if job.tells_settled_change]
        if told:
            note_told(self._connection, told)
        over = [job.row.order_id for job in jobs if (settled := job.row.settled) is not None and not settled.stands]
        if over:
            end_settlements(self._connection, over)

    def _problem_id(self, job: Job, ending: Ending, problem_ids: dict[tuple[str, str, str], int]) -> int | None:
        if ending.keep_problem:
            return job.row.problem_id
        return None if ending.problem is None else problem_ids[_key(self._tenant_id, ending.problem)]

    def _post_retries(self, endings: Iterable[tuple[Job, Ending]]) -> None:
        waiting = [(job, ending) for job, ending in endings if ending.hold is Hold.RETRY]
        if not waiting:
            return
        # By the database's clock, as the due time itself is: a worker whose clock is behind would ring too early.
        row = self._connection.execute(_QUERIES["now"]).fetchone()
        assert row is not None  # noqa: S101 -- it always gives a row
        now: datetime = row[0]
        requests = [
            RetryRequest(
                order_id=job.row.order_id,
                organisation_id=job.row.organisation_id,
                requested_at=now,
                not_before=now + timedelta(seconds=ending.wait_seconds or 0.0),
                attempt=job.row.attempts,
                revision=job.row.revision,
                reason=None if ending.problem is None else ending.problem.code,
            )
            for job, ending in waiting
        ]
        request_retry(self._connection, self._services.encoder, requests)

    def _count(self) -> None:
        metrics = self._services.metrics
        for job in self._finished:
            ending = _ending(job)
            metrics.order_finished(_result(ending))
            _log.info(
                "order_pushed",
                order_id=job.row.order_id,
                event_id=job.row.event_id,
                revision=job.row.revision,
                tenant_id=self._tenant_id,
                result=_result(ending),
                problem=None if ending.problem is None else ending.problem.code,
                trigger=job.row.trigger,
                attempt=job.row.attempts,
            )
            if ending.hold is Hold.RETRY and ending.problem is not None:
                metrics.retry_scheduled(ending.problem.problem_class.value)


def _ending(job: Job) -> Ending:
    assert job.ending is not None  # noqa: S101 -- only jobs with an ending are finished
    return job.ending


def _key(tenant_id: str | None, problem: Problem) -> tuple[str, str, str]:
    return (tenant_id or "", problem.code, problem.subject)


def _result(ending: Ending) -> str:
    if ending.synced:
        return "synced"
    if ending.hold is Hold.PROBLEM:
        return "failed"
    if ending.hold is Hold.IN_DOUBT:
        return "in_doubt"
    return "waiting" if ending.hold in {Hold.RETRY, Hold.LIMIT, Hold.CONNECTION} else "held"
