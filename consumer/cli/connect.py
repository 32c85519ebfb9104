"""`connect`: let an organisation's books be written, by the consent of someone who may give it."""

import webbrowser

import click

from consumer.cli.context import Seconds, actor_option, as_json, assembly
from consumer.cli.failure import MISUSED, Failure
from consumer.cli.output import print_json, print_table
from consumer.cli.tenants import describe_tenants
from consumer.configuration import read_address
from consumer.sync.queue import wake_after_connect
from consumer.xero import (
    CallbackListener,
    InvalidGrantError,
    authorisation_request,
)

_PATIENCE_SECONDS = 600


@click.command()
@click.option("--organisation", required=True, help="HearLink's id of the organisation.")
@click.option("--no-browser", is_flag=True, help="Only print the address to open.")
@click.option(
    "--confirm-other-organisation",
    is_flag=True,
    help="Accept that Xero organisations which are in use are no longer among those that are offered.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=Seconds(),
    default=_PATIENCE_SECONDS,
    show_default=True,
    help="Seconds to wait.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where to wait for the browser to come back, if it isn't the host and port of XERO_REDIRECT_URI.",
)
@as_json
@actor_option
def connect(
    *,
    organisation: str,
    no_browser: bool,
    confirm_other_organisation: bool,
    timeout_seconds: float,
    listen: str | None,
    as_json: bool,
    actor: str,
) -> None:
    """Connect an organisation to Xero, or connect it again.

    Prints an address to open in a browser, where someone logs in at Xero and chooses the organisations. Then stores the
    connection, lists what can be chosen as tenant_id, and lets orders go that waited for it. --json prints one document
    at the end, and the address on standard error.
    """
    address = None if listen is None else read_address("--listen", listen)
    with assembly() as parts:
        # Before anybody is sent to Xero.
        parts.configuration.require_database()
        authorisation = parts.authorisation
        xero = parts.configuration.xero
        request = authorisation_request(
            login_url=xero.login_url,
            client_id=parts.configuration.require_client_id(),
            redirect_uri=xero.redirect_uri,
            scopes=xero.scopes,
        )
        with parts.connect("connect") as connection:
            connection.execute("select 1 from xero_connection limit 1")
        try:
            listener = CallbackListener(xero.redirect_uri, request.state, address=address)
        except OSError as error:
            raise Failure(
                f"Nobody can listen for {xero.redirect_uri}: {error.strerror}. Free its port, or see --listen.", MISUSED
            ) from error
        with listener:
            click.echo(f"Open this address: {request.url}", err=as_json)
            if not no_browser and not webbrowser.open(request.url):
                click.echo("No browser could be started here; open it yourself.", err=True)
            code = listener.wait(timeout_seconds)
        try:
            pending = authorisation.exchange_code(request, code)
        except InvalidGrantError as error:
            raise Failure(f"{error} Start again.") from error
        with parts.connect("connect") as connection:
            tenants = authorisation.store(
                connection,
                organisation,
                pending,
                actor=actor,
                other_organisation_confirmed=confirm_other_organisation,
            )
            # So that settings can be checked. The connection stands without it as well.
            describe_tenants(parts, connection, organisation, [tenant.tenant_id for tenant in tenants])
            woken = wake_after_connect(connection, organisation)
    if as_json:
        print_json({"organisation_id": organisation, "tenants": tenants, "woken": woken})
        return
    print_table(
        f"{organisation} is connected. Choose tenant_id in its settings:",
        ["tenant_id", "name", "type"],
        [[tenant.tenant_id, tenant.name, tenant.tenant_type] for tenant in tenants],
    )
    click.echo(f"{woken} orders that waited for the connection go on now.")
