"""What keeps orders from Xero, grouped by what there is to be done about it."""

from starlette.responses import Response

from consumer.console.visit import Visit
from consumer.results import open_problems
from consumer.sync.settlement import WORDS
from consumer.sync.settling import settled_orders

MOST_SETTLED = 200


def show_problems(visit: Visit) -> Response:
    """Show the open problems, those that hold most orders first, and what people settled, the newest first."""
    return visit.page(
        "problems.html",
        problems=open_problems(visit.connection, visit.organisation_id),
        settled=settled_orders(visit.connection, visit.organisation_id, limit=MOST_SETTLED),
        most=MOST_SETTLED,
        ways=WORDS,
    )
