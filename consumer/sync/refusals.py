"""What Xero refused, element by element: sent again another way, found to be done already, or explained and held."""

import msgspec

from consumer.results import NOT_FOUND, Attempt, Behaviour, Outcome, Problem
from consumer.sync.exchange import StepResult
from consumer.sync.gate import Hold
from consumer.sync.job import Ending, Job
from consumer.sync.link import PUT_BACK, Link, LinkKind, LinkStatus
from consumer.sync.look_up import look_up
from consumer.sync.minutes import Minutes
from consumer.sync.outcome import found_total, link_after, shown_id
from consumer.sync.planning import bodies, closing
from consumer.sync.refused_step import (
    RefusedStep,
    deleted_by_others,
    describe,
    find_holders,
    has_other_lines,
    may_be_done,
    was_paid,
    within_sentence,
)
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, Sighting, holds, same_text
from consumer.sync.step import Stage, Step
from consumer.sync.stranger import other_contact_problem, stranger_problem
from consumer.xero import BudgetSpentError, MaintenanceError, RateLimitedError, TenantClient, XeroError

# After the plain name: with a short form of the patient's id, then with all of it.
_MOST_SUFFIXES = 2
# Whoever makes the change by hand must know what it is.
_CHANGE_REFUSED = frozenset(
    {"invoice_has_payments", "status_has_payments", "document_closed", "period_locked", "year_locked"}
)
_KEEPS_NAME = "The contact keeps its old name; the invoice goes through."


class Refusals:
    """The refused elements of one call, which are of one stage."""

    def __init__(self, services: Services, minutes: Minutes, organisation_id: str, tenant_id: str) -> None:
        self._services = services
        self._minutes = minutes
        self._organisation_id = organisation_id
        self._tenant_id = tenant_id
        self._refusals: list[RefusedStep] = []

    def add(self, step: Step, jobs: list[Job], result: StepResult) -> None:
        """Note that Xero refused `step`, which `jobs` need."""
        number = step.body.get("InvoiceNumber") or step.body.get("CreditNoteNumber") or step.detail.get("number")
        facts = jobs[0].facts(jobs[0].settings, str(number or jobs[0].row.invoice_number or ""))
        if result.xero_id is not None:
            self._refusals.append(self._numbered_otherwise(step, tuple(jobs), result))
            return
        if result.unmade:
            problem = self._services.catalogue.local("answer_without_result", order_id=facts.order_id)
        else:
            attempt = Attempt(step.stage.name.lower())
            problem = self._services.catalogue.match(result.messages, facts, attempt=attempt, kind=result.kind)
            if Behaviour.LEAVE_OUT in problem.behaviours and jobs[0].circumstances.left_out:
                # It was left out already: what Xero minds then is what it has itself.
                problem = self._services.catalogue.match(result.messages, facts, attempt=Attempt.CONTACT_RENAME)
        if problem.code == "payment_exceeds_outstanding":
            problem = self._of_totals(step, jobs[0], problem)
        if problem.code == "not_in_catalogue":
            self._services.metrics.unknown_message()
        nameless = result.kind == NOT_FOUND and not result.messages
        self._refusals.append(RefusedStep(step, tuple(jobs), problem, nameless=nameless))

    def resolve(self, tenant: TenantClient, intent_id: int | None) -> None:
        """Decide on all of them; what must be known of Xero for that is looked up in as few calls as it takes."""
        doubtful = []
        for refusal in self._refusals:
            if refusal.made is not None:
                self._keep_made(refusal, refusal.made, intent_id)
            elif refusal.step.stage is Stage.CONTACT_RENAME:
                self._keep_name(refusal, intent_id)
            elif self._changes_contact(refusal) or self._leaves_totals(refusal):
                continue
            elif may_be_done(refusal):
                doubtful.append(refusal)
            else:
                self._fail(refusal, refusal.problem, intent_id)
        if doubtful:
            self._look_up(doubtful, tenant, intent_id)

    def _look_up(self, doubtful: list[RefusedStep], tenant: TenantClient, intent_id: int | None) -> None:
        try:
            sightings = look_up(tenant, [refusal.step for refusal in doubtful])
            find_holders(doubtful, sightings, tenant)
        except (BudgetSpentError, RateLimitedError, MaintenanceError) as error:
            self._wait(doubtful, error.wait_seconds)
            return
        except XeroError as error:
            for refusal in doubtful:
                if error.refused:
                    # What Xero said of the change stands, then: the look-up could only have told that it was made.
                    self._fail(refusal, refusal.problem, intent_id)
                    continue
                problem = self._services.catalogue.local(
                    "in_doubt", order_id=refusal.jobs[0].row.order_id, xero_message=error.said
                )
                self._fail(refusal, problem, intent_id)
            return
        for refusal, sighting in zip(doubtful, sightings, strict=True):
            self._judge(refusal, sighting, intent_id)

    def _wait(self, refusals: list[RefusedStep], wait_seconds: float) -> None:
        """A limit is no failure: what can't be looked up now is refused once more when the limit is over."""
        for job in {id(job): job for refusal in refusals for job in refusal.jobs}.values():
            job.ending = Ending(hold=Hold.LIMIT, wait_seconds=wait_seconds, free_attempt=True, keep_problem=True)
            self._minutes.finish(job)

    def _of_totals(self, step: Step, job: Job, problem: Problem) -> Problem:
        """Return what is wrong with a payment that Xero finds too large: nobody paid by hand if the totals differ."""
        link = None if job.order.invoice is None else job.links.get(LinkKind.INVOICE, job.order.invoice.invoice_id)
        in_xero = None if link is None else closing.in_xero(link)
        if job.order.invoice is None or in_xero is None:
            return problem
        ours = bodies.cents(job.order.invoice.total)
        if not closing.exceeds(job.order, job.links, step.body["Amount"], in_xero, but_not=ours):
            return problem
        return self._services.catalogue.local(
            "payment_exceeds_total",
            order_id=job.row.order_id,
            xero_message=problem.xero_message,
            hearlink_total=f"{ours:.2f}",
            xero_total=f"{in_xero:.2f}",
        )

    # Another number.

    def _numbered_otherwise(self, step: Step, jobs: tuple[Job, ...], result: StepResult) -> RefusedStep:
        document = result.document
        fields = ("InvoiceNumber", "CreditNoteNumber", "ContactNumber")
        number = next((str(document[field]) for field in fields if document.get(field)), "")
        problem = self._services.catalogue.local(
            "numbered_otherwise", order_id=jobs[0].row.order_id, kind=within_sentence(step), xero_number=number
        )
        return RefusedStep(step, jobs, problem, Sighting(Sight.OTHERWISE, result.xero_id, document))

    def _keep_made(self, refusal: RefusedStep, made: Sighting, intent_id: int | None) -> None:
        """Link what Xero made under another number, so that it is never made again, and have a person look."""
        link = self._link(refusal.step, made.xero_id, made.document)
        if refusal.step.stage is not Stage.CONTACT_CREATE:
            link = msgspec.structs.replace(link, content_hash="")
        self._remember(link, refusal.jobs)
        self._fail(refusal, refusal.problem, intent_id, xero_id=link.xero_id)

    # Another way.

    def _keep_name(self, refusal: RefusedStep, intent_id: int | None) -> None:
        """A rename that Xero refuses is told, and holds nothing up: the contact keeps its name."""
        step = refusal.step
        link = self._link(step, step.target_id, {})
        old = next((job.links.get(step.kind, step.local_id) for job in refusal.jobs), None)
        detail = {**(old.detail if old is not None else {}), "refused_name": step.detail.get("name")}
        self._remember(msgspec.structs.replace(link, detail=detail), refusal.jobs)
        for job in refusal.jobs:
            job.refused.add((step.operation, step.local_id))
        job = refusal.jobs[0]
        self._minutes.log(
            job.entry(
                step.operation,
                Outcome.FAILED,
                refusal.problem.message if refusal.nameless else f"{refusal.problem.message} {_KEEPS_NAME}",
                tenant_id=self._tenant_id,
                problem=refusal.problem,
                xero_id=step.target_id,
                local_id=step.local_id,
                intent_id=intent_id,
            )
        )

    def _changes_contact(self, refusal: RefusedStep) -> bool:
        """Send a new contact another way: under a name that is free, without an e-mail that Xero refuses."""
        if refusal.step.stage is not Stage.CONTACT_CREATE:
            return False
        behaviours = refusal.problem.behaviours
        circumstances = refusal.jobs[0].circumstances
        if Behaviour.USE_ANOTHER_NAME in behaviours and circumstances.suffix < _MOST_SUFFIXES:
            changed = msgspec.structs.replace(circumstances, suffix=circumstances.suffix + 1)
        elif Behaviour.LEAVE_OUT in behaviours and "email" not in circumstances.left_out:
            changed = msgspec.structs.replace(circumstances, left_out=circumstances.left_out | {"email"})
        else:
            return False
        for job in refusal.jobs:
            job.circumstances = changed
        return True

    def _leaves_totals(self, refusal: RefusedStep) -> bool:
        """Send a document once more without a tax of ours that Xero refuses: a cent is no reason to go without it."""
        known = all(job.circumstances.leaves_totals for job in refusal.jobs)
        if Behaviour.LEAVE_OUT not in refusal.problem.behaviours or "LineItems" not in refusal.step.body or known:
            return False
        for job in refusal.jobs:
            job.circumstances = msgspec.structs.replace(job.circumstances, leaves_totals=True)
        return True

    # What the look-up says.

    def _judge(self, refusal: RefusedStep, sighting: Sighting, intent_id: int | None) -> None:
        step = refusal.step
        sight = sighting.sight
        if sight is Sight.DONE and not deleted_by_others(step):
            self._adopt(refusal, sighting, intent_id)
        elif sight in {Sight.GONE, Sight.DONE}:
            self._fail_gone(refusal, sighting, intent_id)
        elif sight is Sight.STRANGER:
            self._fail(refusal, self._stranger(refusal, sighting), intent_id)
        elif sight is Sight.TWICE:
            # The first counts as ours, so that no third is made; a person sees to the other.
            self._remember(self._link(step, sighting.xero_id, sighting.document), refusal.jobs)
            self._fail(refusal, self._local(refusal, "two_of_ours", kind=within_sentence(step)), intent_id)
        elif has_other_lines(step, sighting):
            self._forget_lines(refusal, sighting)
        elif refusal.nameless:
            self._fail(refusal, self._missing(refusal, sighting), intent_id)
        elif was_paid(refusal, sighting):
            self._fail(refusal, self._local(refusal, "paid_in_xero", changed=", ".join(step.reasons)), intent_id)
        else:
            self._fail(refusal, refusal.problem, intent_id)

    def _missing(self, refusal: RefusedStep, sighting: Sighting) -> Problem:
        """Say what of the call is not in Xero: not the document that the look-up found, but what that was to get."""
        found = bool(sighting.document)
        if found and refusal.step.stage in {Stage.INVOICE_UPDATE, Stage.CREDIT_NOTE_UPDATE}:
            return self._local(refusal, "contact_not_found", patient_id=refusal.jobs[0].patient_id)
        if found and refusal.step.stage is Stage.ALLOCATE:
            return self._local(refusal, "invoice_not_found")
        return refusal.problem

    def _forget_lines(self, refusal: RefusedStep, sighting: Sighting) -> None:
        """Have the invoice sent again with lines of its own: people replaced those that we knew."""
        found = {"line_item_ids": {}, **found_total(sighting.document)}
        for job in refusal.jobs:
            known = job.links.get(refusal.step.kind, refusal.step.local_id)
            if known is not None:
                link = msgspec.structs.replace(known, content_hash="", detail={**known.detail, **found})
                self._remember(link, (job,))

    def _adopt(self, refusal: RefusedStep, sighting: Sighting, intent_id: int | None) -> None:
        step = refusal.step
        link = self._link(step, sighting.xero_id, sighting.document)
        is_document = step.stage in {Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE}
        found = "was found in Xero as HearLink wants it; nothing had to be sent again."
        if is_document and not holds(sighting.document, step.body):
            # Ours, but not as it is now: the next plan brings it in step.
            link = msgspec.structs.replace(link, content_hash="")
            found = "was found in Xero, but not as it is in HearLink by now; it is brought in step."
        self._remember(link, refusal.jobs)
        for job in refusal.jobs:
            # Nobody knows what else is there: payments, an allocation.
            job.is_uncertain = job.is_uncertain or is_document
        self._minutes.log(
            refusal.jobs[0].entry(
                step.operation,
                Outcome.SUCCEEDED,
                f"{describe(step)} {found}",
                tenant_id=self._tenant_id,
                xero_id=shown_id(step, link.xero_id),
                local_id=step.local_id,
                intent_id=intent_id,
            )
        )

    def _fail_gone(self, refusal: RefusedStep, sighting: Sighting, intent_id: int | None) -> None:
        step = refusal.step
        if step.stage is Stage.CONTACT_CREATE:
            problem = self._local(refusal, "contact_archived", patient_id=step.local_id)
            self._fail(refusal, problem, intent_id)
            return
        old = refusal.jobs[0].links.get(step.kind, step.local_id)
        if old is not None and old.status is LinkStatus.REMOVED and step.stage is Stage.CREDIT_NOTE_CREATE:
            # We voided it ourselves, when it was deleted in HearLink; under another number it may come again.
            number = str(step.detail.get("number", ""))
            self._fail(refusal, self._local(refusal, "number_used_up", number=number), intent_id)
            return
        link = self._link(step, sighting.xero_id, sighting.document)
        if old is not None:
            link = msgspec.structs.replace(link, content_hash=old.content_hash, detail=old.detail)
        self._remember(msgspec.structs.replace(link, status=LinkStatus.GONE), refusal.jobs)
        # Of an allocation, what is gone is the credit note.
        kind = (
            f"The credit note {step.detail.get('number', '')}".strip()
            if step.stage is Stage.ALLOCATE
            else describe(step)
        )
        self._fail(refusal, self._local(refusal, "deleted_in_xero", kind=kind), intent_id)

    def _stranger(self, refusal: RefusedStep, sighting: Sighting) -> Problem:
        step, order_id = refusal.step, refusal.jobs[0].row.order_id
        if step.stage is Stage.CONTACT_CREATE:
            return other_contact_problem(
                self._services.catalogue,
                sighting,
                order_id=order_id,
                patient_id=step.local_id,
                xero_message=refusal.problem.xero_message,
            )
        return stranger_problem(
            self._services.catalogue,
            self._services.hearlink_url,
            sighting,
            order_id=order_id,
            number=str(step.detail.get("number", "")),
            owner=self._minutes.order_of(sighting.xero_id),
            is_voided=any(
                link.status is LinkStatus.REMOVED and same_text(link.xero_id, sighting.xero_id)
                for link in refusal.jobs[0].links.of_kind(LinkKind.CREDIT_NOTE)
            ),
            xero_message=refusal.problem.xero_message,
        )

    # Bookkeeping.

    def _fail(
        self, refusal: RefusedStep, problem: Problem, intent_id: int | None, *, xero_id: str | None = None
    ) -> None:
        step = refusal.step
        if problem.xero_message is None and refusal.problem.xero_message is not None:
            problem = msgspec.structs.replace(problem, xero_message=refusal.problem.xero_message)
        message = problem.message
        if step.stage is Stage.INVOICE_UPDATE and problem.code in _CHANGE_REFUSED:
            message = f"{message} What differs: {', '.join(step.reasons)}."
        if step.detail.get(PUT_BACK):
            message = f"{message} {self._local(refusal, 'not_put_back', kind=describe(step)).message}"
        for job in refusal.jobs:
            is_needed = job.refuse(step, problem)
            waiting = job.held_back() if is_needed and not problem.retries_by_itself else ()
            entry = job.entry(
                step.operation,
                Outcome.FAILED,
                f"{message} Held back with it: {', '.join(waiting)}." if waiting else message,
                tenant_id=self._tenant_id,
                problem=problem,
                xero_id=shown_id(step, xero_id or step.target_id),
                local_id=step.local_id,
                intent_id=intent_id,
            )
            self._minutes.log(entry, problem)

    def _local(self, refusal: RefusedStep, code: str, **values: str) -> Problem:
        order_id = refusal.jobs[0].row.order_id
        return self._services.catalogue.local(
            code, xero_message=refusal.problem.xero_message, **{"order_id": order_id, **values}
        )

    def _link(self, step: Step, xero_id: str | None, document: dict[str, object]) -> Link:
        return link_after(
            step,
            tenant_id=self._tenant_id,
            organisation_id=self._organisation_id,
            xero_id=xero_id,
            document=document,
        )

    def _remember(self, link: Link, jobs: tuple[Job, ...]) -> None:
        self._minutes.link(link)
        for job in jobs:
            job.links.put(link)
