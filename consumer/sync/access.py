"""What a pass does about access that Xero refuses: the orders that need it are held, the others go on."""

from collections.abc import Iterable, Sequence

from consumer.sync import exchange
from consumer.sync.batching import Assignment
from consumer.sync.conclusions import Conclusions
from consumer.sync.job import Ending, Job
from consumer.xero import Refusal

_OVER = Ending(wait_seconds=0.0, free_attempt=True, keep_problem=True)


class Access:
    """What is refused as far as one pass knows; it learns more from the answers to its calls."""

    def __init__(self, conclusions: Conclusions, refusals: Iterable[Refusal]) -> None:
        self._conclusions = conclusions
        self._refusals = list(refusals)

    def holds(self, batch: Sequence[Assignment]) -> bool:
        """Whether what `batch`, all of one stage, needs is refused; its jobs are held then, and nothing is sent."""
        method, path = exchange.ADDRESSES[batch[0][0].stage]
        refusal = next((refusal for refusal in self._refusals if refusal.keeps_from(method, path)), None)
        if refusal is None:
            return False
        for _, jobs in batch:
            self._hold(jobs, refusal)
        return True

    def refuse(self, refusal: Refusal, jobs: Iterable[Job], all_jobs: Iterable[Job]) -> Ending | None:
        """Hold what Xero just refused to `jobs`; return how the pass ends where it refuses everything."""
        self._refusals.append(refusal)
        self._hold(all_jobs if refusal.concerns_all else jobs, refusal)
        return _OVER if refusal.concerns_all else None

    def _hold(self, jobs: Iterable[Job], refusal: Refusal) -> None:
        for job in jobs:
            if job.ending is None:
                self._conclusions.refused(job, refusal)
