"""What keeps orders from Xero, grouped by what there is to be done about it."""

from starlette.responses import Response

from consumer.console.visit import Visit
from consumer.results import open_problems


def show_problems(visit: Visit) -> Response:
    """Show the open problems, those that hold most orders first."""
    return visit.page(
        "problems.html",
        problems=open_problems(visit.connection, visit.organisation_id),
    )
