"""Which of the claimed orders go on, and what the others are told."""

import msgspec

from consumer.results import Outcome, Problem
from consumer.sync.agreement import is_on_invoice, may_agree
from consumer.sync.back_off import ATTEMPTS, CRASHES_MAX
from consumer.sync.conclusions import Conclusions
from consumer.sync.gate import BEYOND_LIMIT, CONFLICT, Gate, Hold, decide, leave_settled
from consumer.sync.job import Ending, Job, latest_patient
from consumer.sync.minutes import Minutes
from consumer.sync.planner import Circumstances
from consumer.sync.services import Services
from consumer.sync.settlement import Settlement
from consumer.sync.tenant_facts import TenantFacts, effective_rates

_DISABLED = "synchronisation_disabled"
_UNFINISHED = "left_unfinished"
# What an order failed for that is over once it is held for another reason.
_OVER = frozenset({_DISABLED, _UNFINISHED, "change_not_finished", CONFLICT, BEYOND_LIMIT})
# What is told once, and to whoever asks, however often the order changes meanwhile.
_TOLD_ONCE = frozenset({_UNFINISHED, CONFLICT, BEYOND_LIMIT})
# Not even to whoever asks: it says nothing of what they ask for.
_SAID_ONCE = frozenset({"contact_details_not_sent"})
_IN_STEP = "Nothing of this order has changed in HearLink since it was sent to Xero; nothing had to be sent."


class Admission:
    """Decides for the jobs of one pass."""

    def __init__(
        self, services: Services, minutes: Minutes, conclusions: Conclusions, tenant_id: str | None, facts: TenantFacts
    ) -> None:
        self._services = services
        self._minutes = minutes
        self._conclusions = conclusions
        self._tenant_id = tenant_id
        self._facts = facts

    def decide(self, job: Job) -> None:
        """Plan `job`, or end it here and now."""
        if job.row.in_doubt:
            self._conclusions.finish(job, Ending(hold=Hold.IN_DOUBT, free_attempt=True, keep_problem=True))
            return
        settled = job.row.settled
        if settled is not None and settled.stands:
            # Also where nothing else of it could be read.
            self._leave_settled(job, settled)
            return
        if job.row.hold == Hold.RETRY and job.row.attempts > ATTEMPTS:
            # Calls with this order end without an answer.
            self._conclusions.give_up(job)
            return
        if job.row.crashes > CRASHES_MAX:
            self._conclusions.leave_alone(job)
            return
        gate = decide(
            job.order,
            job.settings,
            requested=job.row.requested,
            elsewhere=job.links.elsewhere,
            gaps=job.gaps,
            conflicts=job.row.conflicts,
        )
        if gate.tenant_id is not None and gate.tenant_id == self._tenant_id and self._facts.unknown:
            # Nobody is disconnected: the settings name what Xero never showed us.
            values = {"clinic_id": job.row.clinic_id}
            gate = Gate(hold=Hold.PROBLEM, code="tenant_not_connected", failed=True, values=values)
        if gate.tenant_id is None:
            self._refuse(job, gate)
        elif gate.tenant_id != self._tenant_id:
            # The settings changed under us: the next pass finds it under its new tenant.
            self._conclusions.finish(job, Ending(wait_seconds=0.0, free_attempt=True, keep_problem=True))
        elif self._facts.locked_out is not None:
            self._conclusions.refused(job, self._facts.locked_out)
        else:
            if gate.hold is not None or gate.done:
                self._only_close(job, gate)
            self._prepare(job)

    def _leave_settled(self, job: Job, settled: Settlement) -> None:
        """End an order that somebody settled; told to whoever asks, and once where that keeps a change away."""
        gate = leave_settled(settled, requested=job.row.requested)
        if job.row.requested or settled.is_news:
            assert gate.code is not None  # noqa: S101 -- a settlement has its words
            problem = self._services.catalogue.local(gate.code, **gate.values)
            entry = job.entry(
                job.whole_order, Outcome.SKIPPED, problem.message, tenant_id=self._tenant_id, problem=problem
            )
            self._minutes.log(entry)
            job.tells_settled_change = settled.changed
        self._conclusions.finish(job, Ending(hold=gate.hold, answered=True, free_attempt=True))

    def _only_close(self, job: Job, gate: Gate) -> None:
        """Have no more sent of an order that may not be pushed any more than what closes its gaps."""
        problem = None if gate.code is None else self._services.catalogue.local(gate.code, **gate.values)
        if problem is not None:
            self._tell(job, gate, problem)
        job.closing = Ending(
            hold=gate.hold,
            synced=gate.done,
            answered=True,
            free_attempt=True,
            problem=problem if gate.failed else None,
        )

    def _refuse(self, job: Job, gate: Gate) -> None:
        values = dict(gate.values)
        if "tenant" in values:
            values["tenant"] = self._facts.tenant_names.get(values["tenant"], values["tenant"])
        problem = None if gate.code is None else self._services.catalogue.local(gate.code, **values)
        if problem is not None:
            self._tell(job, gate, problem)
        # What failed before has not been tried again: a change of the order alone mends nothing in Xero. A request that
        # was refused because synchronisation was off has its answer.
        failed_before = job.row.problem_id is not None and job.row.problem_code not in _OVER
        still_fails = gate.hold in {Hold.MANUAL, Hold.DISABLED} and not gate.failed and failed_before
        ending = Ending(
            hold=Hold.PROBLEM if still_fails else gate.hold,
            synced=gate.done,
            answered=True,
            free_attempt=True,
            keep_problem=still_fails,
            problem=problem if gate.failed else None,
        )
        self._conclusions.finish(job, ending)

    def _tell(self, job: Job, gate: Gate, problem: Problem) -> None:
        if gate.code in _TOLD_ONCE and gate.code == job.row.problem_code and not job.row.requested:
            return
        outcome = Outcome.FAILED if gate.failed else Outcome.SKIPPED
        entry = job.entry(job.whole_order, outcome, problem.message, tenant_id=self._tenant_id, problem=problem)
        if gate.failed:
            self._minutes.log(entry, problem)
        elif job.row.requested and gate.tenant_id is None:
            self._minutes.log(entry)
        else:
            self._minutes.skip(entry)

    def _prepare(self, job: Job) -> None:
        patient = latest_patient(job)
        job.circumstances = Circumstances(
            hearlink_url=self._services.hearlink_url,
            patient=patient,
            base_currency=self._facts.base_currency,
            tax_rates=effective_rates(self._facts.tax_rates),
            rename_again=job.row.requested,
        )
        job.make_plan()
        job.looks_again = self._may_agree(job)
        if not job.looks_again:
            self.admit(job)

    def _may_agree(self, job: Job) -> bool:
        """Whether what is missing may be there by now, by people's hands.

        Somebody asks again for what had to be done in Xero, or what somebody settled comes back. One that
        may have been forgotten is looked up otherwise.
        """
        if job.is_uncertain or job.closing is not None:
            return False
        if job.row.comes_back:
            return is_on_invoice(job.links)
        entry = self._services.catalogue.entries.get(job.row.problem_code or "")
        return job.row.requested and may_agree(None if entry is None else entry.problem_class, job.links)

    def admit(self, job: Job) -> None:
        """Tell what of the plan of `job` is not sent; end it where nothing is left to be sent."""
        for finding in job.plan.failures:
            problem = self._services.catalogue.local(finding.code, **finding.values)
            job.fail(problem, operation=finding.operation, local_id=finding.local_id, blocking=finding.blocking)
            entry = job.finding_entry(finding, problem, Outcome.FAILED, self._tenant_id)
            if finding.blocking and job.gaps:
                message = f"{entry.message} Missing in Xero meanwhile: {', '.join(job.gaps)}."
                entry = msgspec.structs.replace(entry, message=message)
            self._minutes.log(entry, problem)
        in_step = not job.next_steps()
        for finding in job.plan.skips if job.closing is None else ():
            problem = self._services.catalogue.local(finding.code, **finding.values)
            entry = job.finding_entry(finding, problem, Outcome.SKIPPED, self._tenant_id)
            if job.row.requested and in_step and finding.code not in _SAID_ONCE:
                # Whoever asks is told again.
                self._minutes.log(entry)
            else:
                self._minutes.skip(entry)
        # One that may have been forgotten is looked up first, whatever the plan says.
        if in_step and not job.is_uncertain:
            told = job.has_agreed or job.problem is not None
            told |= any(skip.code not in _SAID_ONCE for skip in job.plan.skips)
            if job.row.requested and job.closing is None and not told:
                self._minutes.log(job.entry(job.whole_order, Outcome.SKIPPED, _IN_STEP, tenant_id=self._tenant_id))
            self._conclusions.end_if_through(job)
