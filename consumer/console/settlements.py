"""Settling an order and taking that back: as the service, like connecting, for the console's role writes no log."""

from collections.abc import Callable
from http import HTTPStatus

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.console.refusal import Refusal, not_found, unusable
from consumer.console.visit import Visit
from consumer.contract import RegistryUnavailableError
from consumer.results import Problem
from consumer.sync import settling
from consumer.sync.settlement import ReasonError, SettledAs
from consumer.sync.settling import NotSettledError, UnknownOrderError, Wish


def settle_order(
    visit: Visit, order_id: str, *, settled_as: SettledAs, reason: str, problem: str | None = None
) -> Problem:
    """Settle an order of the visitor's organisation, after the visit's own transaction; return what the log says.

    Raises:
        Refusal: the reason can't be taken, there is no such order, or it stands otherwise than `problem` says.
    """
    wish = Wish(
        order_id=order_id,
        organisation_id=visit.organisation_id,
        settled_as=settled_as,
        reason=reason,
        actor=visit.identity.user,
        problem=problem,
    )
    assembly = visit.console.assembly
    return _as_the_service(
        visit, lambda connection: settling.settle(connection, assembly.outbox_encoder, assembly.catalogue, wish)
    )


def unsettle_order(visit: Visit, order_id: str, *, reason: str | None = None) -> Problem:
    """Take back what somebody settled, after the visit's own transaction; return what the log says.

    Raises:
        Refusal: the reason can't be taken, there is no such order, or it is not settled.
    """
    assembly = visit.console.assembly
    return _as_the_service(
        visit,
        lambda connection: settling.unsettle(
            connection,
            assembly.outbox_encoder,
            assembly.catalogue,
            order_id,
            actor=visit.identity.user,
            organisation_id=visit.organisation_id,
            reason=reason,
        ),
    )


def _as_the_service(visit: Visit, act: Callable[[Connection[TupleRow]], Problem]) -> Problem:
    try:
        with visit.console.assembly.connections.borrow() as connection:
            return act(connection)
    except ReasonError as error:
        raise unusable("The reason can't be taken.", str(error)) from error
    except UnknownOrderError as error:
        raise not_found("such order") from error
    except NotSettledError as error:
        raise Refusal(HTTPStatus.CONFLICT, "Nothing was changed.", str(error)) from error
    except RegistryUnavailableError as error:
        raise Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The schema registry can't be reached.",
            "Nothing was changed. Try again in a minute.",
        ) from error
