"""How jobs leave a pass: through, to be tried again, held by a problem, or waiting for the connection."""

import random
import time

from consumer.results import Outcome, Problem, Trigger
from consumer.sync.back_off import ATTEMPTS, back_off_seconds
from consumer.sync.gate import Hold
from consumer.sync.job import Ending, Job
from consumer.sync.minutes import Minutes
from consumer.sync.services import Services


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
        by_itself = job.row.shown_trigger is Trigger.AUTO and job.called
        if ending.synced and by_itself and job.row.pending_since is not None:
            self._services.metrics.order_synced(max(time.time() - job.row.pending_since, 0.0))

    def end_if_through(self, job: Job) -> None:
        """End `job` if it has no step left that may go."""
        if job.ending is not None or job.next_steps():
            return
        if job.problem is None:
            self.finish(job, Ending(synced=True, answered=True))
        elif job.problem.retries_by_itself:
            self.finish(
                job,
                Ending(
                    hold=Hold.RETRY,
                    wait_seconds=back_off_seconds(job.row.attempts, random.random()),  # noqa: S311 -- see above
                    problem=job.problem,
                ),
            )
        else:
            self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=job.problem))

    def try_again(self, job: Job, problem: Problem) -> None:
        """Let a transient failure come back by itself, or give up after so many attempts."""
        attempt = job.row.attempts
        if attempt >= ATTEMPTS:
            gave_up = self._services.catalogue.local(
                "gave_up", order_id=job.row.order_id, attempts=attempt, xero_message=problem.xero_message
            )
            entry = job.entry(
                job.whole_order, Outcome.FAILED, gave_up.message, tenant_id=self._tenant_id, problem=gave_up
            )
            self._minutes.log(entry, gave_up)
            self.finish(job, Ending(hold=Hold.PROBLEM, answered=True, problem=gave_up))
            return
        entry = job.entry(job.whole_order, Outcome.FAILED, problem.message, tenant_id=self._tenant_id, problem=problem)
        self._minutes.log(entry, problem)
        wait_seconds = back_off_seconds(attempt, random.random())  # noqa: S311 -- spreads retries, guards nothing
        self.finish(job, Ending(hold=Hold.RETRY, wait_seconds=wait_seconds, problem=problem))

    def disconnected(self, job: Job) -> None:
        """Say it once for each order, not once for each attempt."""
        problem = self._services.catalogue.local("xero_disconnected")
        if job.row.problem_code != problem.code:
            entry = job.entry(
                job.whole_order, Outcome.FAILED, problem.message, tenant_id=self._tenant_id, problem=problem
            )
            self._minutes.log(entry, problem)
        self.finish(job, Ending(hold=Hold.CONNECTION, free_attempt=True, problem=problem))
