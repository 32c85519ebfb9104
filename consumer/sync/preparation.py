"""What must be read in Xero before a call can go out, and what the reading makes superfluous."""

import msgspec

from consumer.results import Outcome
from consumer.sync.batching import Assignment
from consumer.sync.job import Job
from consumer.sync.look_up import look_up
from consumer.sync.minutes import Minutes
from consumer.sync.outcome import link_after
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, same_text
from consumer.sync.step import Stage, Step
from consumer.xero import TenantClient


class Preparation:
    """Makes the calls of one pass ready to go."""

    def __init__(
        self, services: Services, minutes: Minutes, organisation_id: str, tenant_id: str, *, urgent: bool
    ) -> None:
        self._services = services
        self._minutes = minutes
        self._organisation_id = organisation_id
        self._tenant_id = tenant_id
        self._tenant = TenantClient(services.client, organisation_id, tenant_id, urgent=urgent)

    def ready(self, call: list[Assignment]) -> list[Assignment]:
        """Return what of `call` is to be sent; the jobs of the rest are to be planned anew.

        Raises:
            XeroError: a read failed; nothing of `call` can go.
        """
        stage = call[0][0].stage
        if stage is Stage.DEALLOCATE:
            found = [self._with_allocation_id(assignment) for assignment in call]
            return [assignment for assignment in found if assignment is not None]
        if stage is Stage.CONTACT_RENAME:
            return self._without_taken_names(call)
        return call

    def _with_allocation_id(self, assignment: Assignment) -> Assignment | None:
        """Learn the id of an allocation that Xero did not tell when it was made; None where it is gone."""
        step, jobs = assignment
        if step.target_id is not None:
            return assignment
        (sighting,) = look_up(self._tenant, [step])
        if sighting.sight is Sight.OTHERWISE:
            return msgspec.structs.replace(step, target_id=sighting.xero_id), jobs
        link = link_after(
            step, tenant_id=self._tenant_id, organisation_id=self._organisation_id, xero_id=None, document={}
        )
        self._minutes.link(link)
        for job in jobs:
            job.links.put(link)
        return None

    def _without_taken_names(self, call: list[Assignment]) -> list[Assignment]:
        """Leave out names that Xero refused before and would refuse again; whoever asked is told so."""
        again = [step for step, _ in call if step.detail.get("refused_name") == step.detail["name"]]
        if not again:
            return call
        holders = self._tenant.contacts_by_name(step.body["Name"] for step in again)
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
