"""How jobs leave a pass: through, to be tried again, held by a problem, or waiting for the connection."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from consumer.results import Outcome, Problem, Trigger
from consumer.sync.back_off import REFUSALS_MAX, back_off_seconds, is_hopeless
from consumer.sync.gate import Hold
from consumer.sync.job import Ending, Job
from consumer.sync.minutes import Minutes
from consumer.sync.services import Services
from consumer.sync.step import Step
from consumer.xero import MaintenanceError, Refusal, XeroError

_log = structlog.get_logger()


class Conclusions:
    """Ends the jobs of one pass, and says so in its minutes."""

    def __init__(self, services: Services, minutes: Minutes, tenant_id: str | None) -> None:
        self._services = services
        self._minutes = minutes
        self._tenant_id = tenant_id

    def finish(self, job: Job, ending: Ending) -> None:
        """End `job`."""
        job.ending = ending
        self._minutes.finish(job)
        # What waited for a person, or was held by a problem, says nothing of how quick the service is.
        # What had to be tried again, or looked up, is late all the same.
        by_itself = job.called and (job.row.shown_trigger is Trigger.AUTO or job.row.hold == Hold.RETRY)
        if ending.synced and by_itself and job.row.pending_since is not None:
            self._services.metrics.order_synced(max(time.time() - job.row.pending_since, 0.0))

    def end_if_through(self, job: Job) -> None:
        """End `job` if it has no step left that may go; one of which Xero may hold more is compared with it first."""
        if job.ending is not None or job.is_uncertain or job.next_steps():
            return
        if job.problem is None and job.is_unfinished:
            self._leave_unfinished(job)
        elif job.problem is None:
            self.finish(job, job.closing or Ending(synced=True, answered=True))
        elif job.problem.retries_by_itself:
            self._wait_or_give_up(job, job.problem)
        else:
            self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=job.problem))

    def _leave_unfinished(self, job: Job) -> None:
        """End an order without a way to put in what was taken out of Xero for it; told once, and to whoever asks."""
        problem = self._services.catalogue.local(
            "change_not_finished", order_id=job.row.order_id, missing=", ".join(job.gaps)
        )
        if job.row.problem_code != problem.code or job.row.requested:
            self._tell(job, problem)
        self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=problem))

    def fail_step(self, job: Job, step: Step, problem: Problem) -> None:
        """Have `step` of `job` fail without a call; what needs it waits."""
        entry = job.entry(
            step.operation,
            Outcome.FAILED,
            problem.message,
            tenant_id=self._tenant_id,
            problem=problem,
            local_id=step.local_id,
        )
        self._minutes.log(entry, problem)
        job.refuse(step, problem)

    def try_again(self, job: Job, problem: Problem, error: XeroError) -> None:
        """Let a transient failure come back by itself, or give up after so many attempts."""
        if error.refused and job.row.attempts >= REFUSALS_MAX:
            self.give_up(job, problem.xero_message)
            return
        if not is_hopeless(job.row.attempts, job.row.pending_seconds):
            self._tell(job, problem)
        self._wait_or_give_up(job, problem)

    def leave_in_doubt(self, job: Job, error: XeroError) -> None:
        """Have the look-up tell what became of a call of `job`: an attempt, unless Xero is closed for maintenance.

        Refused a few times in words that sound as if it might go yet (408, 409), it is refused: a person must look.
        """
        if error.refused and job.row.attempts >= REFUSALS_MAX:
            self.give_up(job)
            return
        free_attempt = isinstance(error, MaintenanceError)
        self.finish(job, Ending(hold=Hold.IN_DOUBT, free_attempt=free_attempt, keep_problem=True))

    def give_up(self, job: Job, xero_message: str | None = None) -> None:
        """End an order that Xero gave no usable answer for in so many attempts: a person must look."""
        problem = self._services.catalogue.local(
            "gave_up", order_id=job.row.order_id, attempts=job.row.attempts, xero_message=xero_message
        )
        self._tell(job, problem)
        self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=problem))

    def leave_alone(self, job: Job) -> None:
        """End an order with which one worker after the other died: it may be what they die of."""
        problem = self._services.catalogue.local(
            "workers_died", order_id=job.row.order_id, crashes=str(job.row.crashes)
        )
        self._tell(job, problem)
        self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=problem))

    def _wait_or_give_up(self, job: Job, problem: Problem) -> None:
        if is_hopeless(job.row.attempts, job.row.pending_seconds):
            self.give_up(job, problem.xero_message)
            return
        wait_seconds = back_off_seconds(job.row.attempts, random.random())  # noqa: S311 -- spreads retries
        self.finish(job, Ending(hold=Hold.RETRY, wait_seconds=wait_seconds, problem=problem))

    @contextmanager
    def guarding(self, job: Job) -> Iterator[None]:
        """Hold one order's defect against that order alone: the others of its pass go on."""
        try:
            yield
        except Exception as error:
            if job.ending is not None:
                raise
            _log.error("order_defect", order_id=job.row.order_id, error=type(error).__name__, exc_info=error)
            code = "not_projected" if isinstance(error, msgspec.ValidationError) else "unexpected"
            problem = self._services.catalogue.local(code, order_id=job.row.order_id)
            self._tell(job, problem)
            self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=problem))

    def _tell(self, job: Job, problem: Problem) -> None:
        entry = job.entry(job.whole_order, Outcome.FAILED, problem.message, tenant_id=self._tenant_id, problem=problem)
        self._minutes.log(entry, problem)

    def refused(self, job: Job, refusal: Refusal) -> None:
        """Hold `job` until Xero lets us do what it refuses.

        Said to each person who asks, else once for each order, not once for each attempt.
        """
        problem = self._services.catalogue.local(refusal.code, xero_message=refusal.xero_message, **refusal.values())
        row = job.row
        # A request lifts the hold and asks for the newest revision. One that was told already is behind with the next
        # event, and what brings a waiting order's time forward leaves it held.
        asked_now = row.requested_revision == row.revision and row.hold != Hold.CONNECTION
        if row.problem_code != problem.code or asked_now:
            self._tell(job, problem)
        self.finish(job, Ending(hold=Hold.CONNECTION, free_attempt=True, problem=problem))
