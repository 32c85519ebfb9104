"""One pass over one tenant: claim what is due, decide, send it stage by stage, write down what came of it.

The caller holds the tenant's lease. Every call goes out after its intent was written, and what it changed is written
in one transaction that the lease's epoch fences. A job leaves the pass with the last of its steps, not with the pass.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from psycopg import Connection

from consumer.database import crash_point
from consumer.results import NOT_FOUND, Outcome
from consumer.sync import exchange
from consumer.sync.access import Access
from consumer.sync.admission import Admission
from consumer.sync.batching import Assignment, cut_into_calls, fits_a_call, next_assignments
from consumer.sync.claim import claim
from consumer.sync.conclusions import Conclusions
from consumer.sync.gate import Hold
from consumer.sync.intents import Intent, OrdersMovedError, leave_in_doubt, open_intent, settle
from consumer.sync.job import Ending, Job
from consumer.sync.lease import Lease
from consumer.sync.minutes import Minutes
from consumer.sync.outcome import link_after, shown_id, success_message, warnings
from consumer.sync.planning import bodies
from consumer.sync.preparation import Preparation
from consumer.sync.reconciliation import Reconciliation
from consumer.sync.recovery import recover
from consumer.sync.refusals import Refusals
from consumer.sync.second_look import ORDERS_AT_ONCE, SecondLook
from consumer.sync.services import Services
from consumer.sync.step import Step
from consumer.sync.tenant_facts import load_tenant_facts
from consumer.xero import (
    AccessError,
    BudgetSpentError,
    Grant,
    MaintenanceError,
    NotFoundError,
    RateLimitedError,
    RequestRefusedError,
    TenantClient,
    Wait,
    XeroError,
)

# Four full calls a stage: enough to fill calls of the rarer stages too, few enough that a person who presses Sync
# meanwhile does not wait long, nor another tenant.
ORDERS_PER_PASS = 200
# A grant that is so near is waited for; a farther one gives the tenant back.
WORTH_WAITING_SECONDS = 1.0

_log = structlog.get_logger()


class TenantPass:
    """One pass. `stopping` says that the process is to end: what is not yet sent is then given back."""

    def __init__(
        self,
        connection: Connection[Any],
        lease: Lease,
        organisation_id: str,
        clinic_ids: Sequence[str],
        services: Services,
        stopping: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._lease = lease
        self._organisation_id = organisation_id
        self._clinic_ids = list(clinic_ids)
        self._services = services
        self._stopping = stopping
        self._tenant_id = None if lease.book.startswith("-:") else lease.book
        self._minutes = Minutes(connection, lease, organisation_id, services)
        self._conclusions = Conclusions(services, self._minutes, self._tenant_id)
        self._preparation = Preparation(services, self._minutes, organisation_id, lease.book)
        self._access = Access(self._conclusions, ())
        self._jobs: list[Job] = []
        # Set when nothing more can be sent in this pass: how the jobs that are left end.
        self._stop: Ending | None = None

    def run(self) -> int:
        """Do one pass; return how many orders it claimed.

        Raises:
            LeaseLostError: the tenant is somebody else's; what was not written is theirs to find out.
            psycopg.Error: the database.
        """
        facts = load_tenant_facts(self._connection, self._services.client, self._organisation_id, self._tenant_id)
        self._access = Access(self._conclusions, facts.refusals)
        if self._tenant_id is not None and facts.locked_out is None:
            recover(self._connection, self._lease, self._organisation_id, self._services, self._stopping)
        self._jobs = claim(
            self._connection, self._organisation_id, self._clinic_ids, self._tenant_id, limit=ORDERS_PER_PASS
        )
        admission = Admission(self._services, self._minutes, self._conclusions, self._tenant_id, facts)
        for job in self._jobs:
            with self._conclusions.guarding(job):
                admission.decide(job)
        self._write()
        self._look_again(admission)
        self._reconcile()
        while (assignments := next_assignments(self._jobs)) and self._stop is None:
            self._send_stage(assignments)
            self._reconcile()
        self._end_rest()
        self._write()
        return len(self._jobs)

    # What is read in Xero before anything is sent.

    def _look_again(self, admission: Admission) -> None:
        """Compare what failed for something in Xero, and is asked for again, with how it is there by now."""
        asked = [job for job in self._jobs if job.looks_again and job.ending is None]
        for job in asked[ORDERS_AT_ONCE:]:
            self._conclusions.finish(
                job, Ending(hold=Hold.LIMIT, wait_seconds=0.0, free_attempt=True, keep_problem=True)
            )
        self._read_first(SecondLook, lambda job: job.looks_again, admission.admit)

    def _reconcile(self) -> None:
        """Link what Xero holds of orders that our database may have forgotten something of."""
        self._read_first(Reconciliation, lambda job: job.is_uncertain, self._plan_on)

    def _read_first(
        self,
        reader: type[SecondLook | Reconciliation],
        is_unread: Callable[[Job], bool],
        go_on: Callable[[Job], None],
    ) -> None:
        """Have the jobs read that are to be, then go on with them."""
        jobs = [job for job in self._jobs if is_unread(job) and job.ending is None]
        if not jobs or self._stop is not None:
            return
        assert self._tenant_id is not None  # noqa: S101 -- orders without a tenant have an ending by now
        reading = reader(
            self._services,
            self._minutes,
            self._organisation_id,
            self._tenant_id,
            before_read=lambda: self._lease.renew(self._connection),
            stopping=self._stopping,
        )
        try:
            reading.run(jobs)
        except XeroError as error:
            self._settle_failed([job for job in jobs if is_unread(job)], [], error)
        for job in jobs:
            if not is_unread(job) and job.ending is None:
                with self._conclusions.guarding(job):
                    go_on(job)
        if self._stop is None and any(is_unread(job) for job in jobs):
            self._stop = Ending(wait_seconds=0.0, free_attempt=True, keep_problem=True)
        self._write()

    # Sending.

    def _send_stage(self, assignments: list[Assignment]) -> None:
        sendable = [assignment for assignment in assignments if self._fits(*assignment)]
        for batch in cut_into_calls(sendable) if sendable else ():
            if self._stop is not None:
                return
            if self._stopping():
                self._stop = Ending(wait_seconds=0.0, free_attempt=True, keep_problem=True)
                return
            if self._access.holds(batch):
                self._write()
                continue
            # An order's later steps wait for its earlier ones, also within a stage of single calls.
            ready = self._prepare([entry for entry in batch if any(job.awaits(entry[0]) for job in entry[1])])
            grant = self._grant(urgent=any(job.urgent for job in _jobs_of(ready))) if ready else None
            if grant is not None:
                self._send_batch(ready, grant)

    def _fits(self, step: Step, jobs: list[Job]) -> bool:
        """Whether a call can carry `step`; explain to its orders why not."""
        if fits_a_call(step):
            return True
        for job in jobs:
            number = str(step.detail.get("number") or job.row.invoice_number or "")
            problem = self._services.catalogue.local("request_too_large", order_id=job.row.order_id, number=number)
            self._conclusions.fail_step(job, step, problem)
            self._plan_on(job)
        return False

    def _prepare(self, batch: list[Assignment]) -> list[Assignment]:
        """Return what of `batch` is to be sent after what had to be read first."""
        if not batch:
            return []
        try:
            ready = self._preparation.ready(batch, urgent=any(job.urgent for job in _jobs_of(batch)))
        except XeroError as error:
            self._settle_failed(_jobs_of(batch), batch, error)
            self._write()
            return []
        if len(ready) < len(batch):
            for job in _jobs_of(batch):
                self._plan_on(job)
            self._write()
        return ready

    def _grant(self, *, urgent: bool) -> Grant | None:
        """Get the right to one call, waiting a little for it; None where it takes longer."""
        assert self._tenant_id is not None  # noqa: S101 -- orders without a tenant have no steps
        while True:
            self._lease.renew(self._connection)
            answer = self._services.budget.grant(self._connection, self._tenant_id, urgent=urgent)
            if not isinstance(answer, Wait):
                return answer
            if answer.seconds > WORTH_WAITING_SECONDS or self._stopping():
                if answer.window in {"minute", "day"}:
                    self._lease.rest(self._connection, answer.seconds, answer.window)
                limited = Ending(hold=Hold.LIMIT, wait_seconds=answer.seconds, free_attempt=True, keep_problem=True)
                if answer.window == "day" and not urgent and not self._stopping():
                    self._leave_to_the_urgent(limited)
                else:
                    self._stop = limited
                return None
            time.sleep(answer.seconds)

    def _leave_to_the_urgent(self, limited: Ending) -> None:
        """End all jobs that nobody waits for: what is left of the day is kept for those that somebody does."""
        for job in self._jobs:
            if job.ending is None and not job.urgent:
                self._conclusions.finish(job, limited)

    def _send_batch(self, batch: list[Assignment], grant: Grant) -> None:
        assert self._tenant_id is not None  # noqa: S101 -- see _grant
        steps = [step for step, _ in batch]
        stage = steps[0].stage
        method, path = exchange.ADDRESSES[stage]
        try:
            intent = open_intent(
                self._connection,
                self._lease,
                self._organisation_id,
                method=method,
                path=path,
                body_hash=bodies.content_hash({"elements": [step.body for step in steps]}),
                steps=[(step, jobs[0].sender) for step, jobs in batch],
            )
        except OrdersMovedError as moved:
            self._services.budget.release(self._connection, grant)
            self._give_back(moved.order_ids)
            return
        crash_point("push.after_intent")
        for job in _jobs_of(batch):
            job.called = True
        tenant = TenantClient(self._services.client, self._organisation_id, self._tenant_id)
        try:
            results = exchange.send(tenant, steps, idempotency_key=intent.idempotency_key, grant=grant)
        except XeroError as error:
            self._call_failed(intent, batch, error)
            return
        crash_point("push.after_answer")
        self._services.metrics.batch_sent(stage.name.lower(), len(steps))
        self._take_results(intent, batch, results, tenant)

    def _give_back(self, order_ids: frozenset[str]) -> None:
        """Leave orders to the pass that finds them as they are now; the rest of the call is cut anew."""
        for job in self._jobs:
            if job.row.order_id in order_ids and job.ending is None:
                self._conclusions.finish(job, Ending(wait_seconds=0.0, free_attempt=True, keep_problem=True))
        self._write()

    def _take_results(
        self, intent: Intent, batch: list[Assignment], results: list[exchange.StepResult], tenant: TenantClient
    ) -> None:
        assert self._tenant_id is not None  # noqa: S101 -- see _grant
        refusals = Refusals(self._services, self._minutes, self._organisation_id, self._tenant_id)
        for (step, jobs), result in zip(batch, results, strict=True):
            if result.ok:
                link = link_after(
                    step,
                    tenant_id=self._tenant_id,
                    organisation_id=self._organisation_id,
                    xero_id=result.xero_id,
                    document=result.document,
                )
                self._minutes.link(link)
                for job in jobs:
                    job.links.put(link)
                self._minutes.log(
                    jobs[0].entry(
                        step.operation,
                        Outcome.SUCCEEDED,
                        success_message(step, result.document),
                        tenant_id=self._tenant_id,
                        xero_id=shown_id(step, link.xero_id),
                        local_id=step.local_id,
                        intent_id=intent.intent_id,
                        warnings=warnings(result, jobs[0].order, self._services.catalogue),
                    )
                )
            else:
                refusals.add(step, jobs, result)
        self._lease.renew(self._connection)
        refusals.resolve(tenant, intent.intent_id)
        for job in _jobs_of(batch):
            self._plan_on(job)
        self._write(lambda connection: settle(connection, intent.intent_id, range(len(batch)), "answered"))

    def _plan_on(self, job: Job) -> None:
        with self._conclusions.guarding(job):
            job.make_plan()
            self._conclusions.end_if_through(job)

    # Calls that failed as a whole.

    def _call_failed(self, intent: Intent, batch: list[Assignment], error: XeroError) -> None:
        jobs = _jobs_of(batch)
        _log.warning(
            "xero_call_failed",
            tenant_id=self._tenant_id,
            stage=batch[0][0].stage.name.lower(),
            elements=len(batch),
            error=type(error).__name__,
            detail=error.for_log,
        )
        if error.wrote:
            self._lost(intent, jobs, error)
            return
        self._settle_failed(jobs, batch, error)
        self._write(lambda connection: settle(connection, intent.intent_id, range(len(batch)), type(error).__name__))

    def _lost(self, intent: Intent, jobs: list[Job], error: XeroError) -> None:
        """Leave the intent open: nothing goes out for these orders before Xero was looked up."""
        for job in jobs:
            self._conclusions.leave_in_doubt(job, error)
        # Others of the same patients wait as well: their contact is in doubt.
        pause_seconds = self._services.patience.pause_seconds
        self._stop = Ending(wait_seconds=pause_seconds, free_attempt=True, keep_problem=True)
        self._write(lambda connection: leave_in_doubt(connection, intent.intent_id, "answer_lost", pause_seconds))

    def _settle_failed(self, jobs: list[Job], batch: list[Assignment], error: XeroError) -> None:
        if isinstance(error, RateLimitedError | BudgetSpentError | MaintenanceError):
            self._stop = Ending(hold=Hold.LIMIT, wait_seconds=error.wait_seconds, free_attempt=True, keep_problem=True)
        elif isinstance(error, AccessError):
            self._stop = self._access.refuse(error.refusal, jobs, self._jobs)
        elif isinstance(error, RequestRefusedError | NotFoundError) and batch:
            self._refused_as_a_whole(jobs, batch, error)
        else:
            problem = self._services.catalogue.local("xero_unreachable", xero_message=error.said)
            for job in jobs:
                self._conclusions.try_again(job, problem, error)
            pause_seconds = self._services.patience.pause_seconds
            self._stop = Ending(wait_seconds=pause_seconds, free_attempt=True, keep_problem=True)

    def _refused_as_a_whole(
        self, jobs: list[Job], batch: list[Assignment], error: RequestRefusedError | NotFoundError
    ) -> None:
        """Send the elements in halves, and those again: of several it can't be told which one is at fault."""
        if len(batch) > 1:
            for job in jobs:
                job.batch_limit = len(batch) // 2
            return
        assert self._tenant_id is not None  # noqa: S101 -- see _grant
        step, _ = batch[0]
        kind = error.kind if isinstance(error, RequestRefusedError) else NOT_FOUND
        refusals = Refusals(self._services, self._minutes, self._organisation_id, self._tenant_id)
        refusals.add(
            step,
            jobs,
            exchange.StepResult(step, ok=False, xero_id=None, document={}, messages=error.messages, kind=kind),
        )
        tenant = TenantClient(self._services.client, self._organisation_id, self._tenant_id)
        refusals.resolve(tenant, None)
        for job in jobs:
            self._plan_on(job)

    def _end_rest(self) -> None:
        ending = self._stop or Ending(wait_seconds=0.0, free_attempt=True, keep_problem=True)
        for job in self._jobs:
            if job.ending is None:
                self._conclusions.finish(job, ending)

    def _write(self, also: Callable[[Connection[Any]], None] | None = None) -> None:
        crash_point("push.before_result")
        self._minutes.write(also)
        crash_point("push.after_result")


def _jobs_of(batch: list[Assignment]) -> list[Job]:
    return list({id(job): job for _, jobs in batch for job in jobs}.values())
