"""What must be read in Xero before a call can go out, and what the reading makes superfluous."""

from typing import Any

import msgspec
import structlog

from consumer.results import Operation, Outcome
from consumer.settings import payment_account_fault
from consumer.sync.batching import Assignment
from consumer.sync.job import Job
from consumer.sync.link import MAKES_WAY, LinkStatus
from consumer.sync.look_up import look_up
from consumer.sync.minutes import Minutes
from consumer.sync.outcome import link_after
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, same_text
from consumer.sync.step import Stage, Step
from consumer.xero import NotFoundError, RequestRefusedError, TenantClient

_log = structlog.get_logger()


class Preparation:
    """Makes the calls of one pass ready to go. The tenant's accounts are read once, and only where they matter."""

    def __init__(self, services: Services, minutes: Minutes, organisation_id: str, tenant_id: str) -> None:
        self._services = services
        self._minutes = minutes
        self._organisation_id = organisation_id
        self._tenant_id = tenant_id
        self._accounts: list[dict[str, Any]] | None = None

    def ready(self, call: list[Assignment], *, urgent: bool) -> list[Assignment]:
        """Return what of `call` is to be sent; the jobs of the rest are to be planned anew.

        `urgent`: a person waits for some of it, so that what is read for it may use the day's reserve.

        Raises:
            XeroError: a read failed; nothing of `call` can go.
        """
        tenant = TenantClient(self._services.client, self._organisation_id, self._tenant_id, urgent=urgent)
        stage = call[0][0].stage
        if stage is Stage.DEALLOCATE:
            found = [self._with_allocation_id(assignment, tenant) for assignment in call]
            return [assignment for assignment in found if assignment is not None]
        if stage is Stage.CONTACT_RENAME:
            return self._without_taken_names(call, tenant)
        if stage is Stage.PAYMENT_DELETE:
            return [assignment for assignment in call if self._can_be_replaced(*assignment, tenant)]
        return call

    def _can_be_replaced(self, step: Step, jobs: list[Job], tenant: TenantClient) -> bool:
        """Whether what is to take a payment's place has an account to go to; else the payment stays, and it is told.

        It could not be put back either: the account is the same one.
        """
        if not step.detail.get(MAKES_WAY):
            return True
        going = True
        for job in jobs:
            account = None if job.settings is None else job.settings.payment_account
            if account is None or self._takes_payments(account, tenant):
                continue
            going = False
            problem = self._services.catalogue.local("payment_account_missing", payment_account=account)
            entry = job.entry(
                Operation.PAYMENT_CREATE,
                Outcome.FAILED,
                f"{problem.message} The payment stays in Xero as it was: {', '.join(step.reasons)}.",
                tenant_id=self._tenant_id,
                problem=problem,
                xero_id=step.target_id,
                local_id=step.local_id,
            )
            self._minutes.log(entry, problem)
            job.keep_payment(step.local_id, problem)
        return going

    def _takes_payments(self, account: str, tenant: TenantClient) -> bool:
        if self._accounts is None:
            try:
                self._accounts = tenant.accounts()
            except (RequestRefusedError, NotFoundError) as error:
                # Nothing speaks against the payment then.
                _log.warning("accounts_not_read", tenant_id=self._tenant_id, detail=error.for_log)
                return True
        return payment_account_fault(account, self._accounts) is None

    def _with_allocation_id(self, assignment: Assignment, tenant: TenantClient) -> Assignment | None:
        """Learn the id of an allocation that Xero did not tell when it was made; None where it is gone.

        Where people put another in its place, that is theirs: ours is not made again.
        """
        step, jobs = assignment
        if step.target_id is not None:
            return assignment
        (sighting,) = look_up(tenant, [step])
        if sighting.sight is Sight.OTHERWISE:
            return msgspec.structs.replace(step, target_id=sighting.xero_id), jobs
        link = link_after(
            step, tenant_id=self._tenant_id, organisation_id=self._organisation_id, xero_id=None, document={}
        )
        if sighting.sight is Sight.GONE:
            link = msgspec.structs.replace(link, status=LinkStatus.GONE)
        self._minutes.link(link)
        for job in jobs:
            job.links.put(link)
        return None

    def _without_taken_names(self, call: list[Assignment], tenant: TenantClient) -> list[Assignment]:
        """Leave out names that Xero refused before and would refuse again; whoever asked is told so."""
        again = [step for step, _ in call if step.detail.get("refused_name") == step.detail["name"]]
        if not again:
            return call
        holders = tenant.contacts_by_name(step.body["Name"] for step in again)
        taken = [
            step
            for step in again
            if any(
                same_text(holder.get("Name"), step.body["Name"])
                and holder.get("ContactStatus", "ACTIVE") == "ACTIVE"
                and not same_text(holder.get("ContactID"), step.target_id)
                for holder in holders
            )
        ]
        for step, jobs in call:
            if step in taken:
                self._tell_taken(step, jobs)
        return [assignment for assignment in call if assignment[0] not in taken]

    def _tell_taken(self, step: Step, jobs: list[Job]) -> None:
        for job in jobs:
            job.refused.add((step.operation, step.local_id))
        problem = self._services.catalogue.local("contact_name_taken", patient_id=step.local_id)
        self._minutes.log(
            jobs[0].entry(
                step.operation,
                Outcome.FAILED,
                f"{problem.message} The contact keeps its old name.",
                tenant_id=self._tenant_id,
                problem=problem,
                xero_id=step.target_id,
                local_id=step.local_id,
            )
        )
