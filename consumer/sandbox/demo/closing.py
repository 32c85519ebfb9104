"""The picture in words and columns."""

from collections.abc import Iterator, Sequence
from statistics import median

from consumer.sandbox.clinics import TENANT_NAMES
from consumer.sandbox.demo.parts import ENVIRONMENT_FILE, Parts
from consumer.sandbox.demo.picture import Picture, Sum
from consumer.sandbox.demo.screen import Screen

_KINDS = {"invoice": "invoices", "payment": "payments", "credit_note": "credit notes"}
# Why a document is not in Xero, in words; the rest are codes of the problem catalogue.
_REASONS = {
    "manual": "of a clinic that sends on request, which nobody has made yet",
    "order_closed": "of an order that was cancelled or written off",
    "no_invoice": "of an order that has no invoice yet",
    "open": "of an invoice that was deleted, or not sent for its amount of zero",
}


def show_documents(screen: Screen, picture: Picture) -> None:
    """Show both sides, tenant by tenant."""
    screen.heading("What is in Xero, beside what is in HearLink")
    screen.line(f"{'':14}{'HearLink':>17}{'not sent':>15}{'only in Xero':>16}{'Xero':>17}")
    tenant = ""
    for row in picture.documents:
        if row.tenant != tenant:
            tenant = row.tenant
            screen.line(tenant)
        screen.line(
            f"  {_KINDS[row.kind]:12}{_cell(row.hearlink, 17)}{_cell(row.not_sent, 15)}"
            f"{_cell(row.only_in_xero, 16)}{_cell(row.xero, 17)}"
        )
    for text in _remarks(picture):
        screen.text(text, indent="  ")


def _cell(value: Sum, width: int) -> str:
    return f"{value.count:>{width - 12}}{value.amount:>12,.2f}" if value.count else f"{'-':>{width}}"


def _remarks(picture: Picture) -> Iterator[str]:
    if picture.not_sent:
        yield "Documents not sent:"
        for reason, count in picture.not_sent.items():
            yield f"  {count} {_REASONS.get(reason, f'held by the problem {reason}')}"
    for row in picture.documents:
        for each in row.differences:
            yield f"{each.number} differs: {each.in_hearlink:,.2f} in HearLink, {each.in_xero:,.2f} in Xero."
    left = [row for row in picture.documents if row.unexplained != Sum()]
    if not left:
        yield "All else is the same on both sides, to the penny."
    for row in left:
        count, amount = row.unexplained.count, row.unexplained.amount
        yield f"Unexplained in {row.tenant}, {_KINDS[row.kind]}: {count}, {amount:,.2f}."


def show_sync_log(screen: Screen, picture: Picture) -> None:
    """Show how operations ended."""
    screen.heading("The sync log")
    screen.line(f"  {'':24}{'succeeded':>10}{'failed':>10}{'skipped':>10}")
    for operation, outcomes in picture.sync_log.items():
        cells = "".join(f"{outcomes[name] or '-':>10}" for name in ("succeeded", "failed", "skipped"))
        screen.line(f"  {operation:24}{cells}")
    for warning, count in picture.warnings.items():
        screen.text(f"Warning, {count} time{'s' if count > 1 else ''}: {warning}", indent="  ")


def show_problems(screen: Screen, picture: Picture) -> None:
    """Show what needs somebody."""
    screen.heading("What needs somebody")
    if not picture.problems:
        screen.line("  Nothing.")
    for problem in picture.problems:
        screen.line(f"  {problem.code}: {problem.orders} order{'s' if problem.orders != 1 else ''}")
        screen.text(problem.message, indent="    ")
        screen.text(f"To do: {problem.fix}", indent="    ")


def show_figures(screen: Screen, picture: Picture, *, backlog_seconds: float, latencies: Sequence[float]) -> None:
    """Show calls, time and latency."""
    calls = picture.calls
    screen.heading("Calls and time")
    in_all = calls["writes"] + calls["reads"]
    per_order = in_all / picture.orders_in_xero if picture.orders_in_xero else 0.0
    screen.text(
        f"{in_all} calls to Xero ({calls['writes']} writes, {calls['reads']} reads) for {picture.orders_in_xero} "
        f"orders with all their changes: {per_order:.2f} an order.",
        indent="  ",
    )
    screen.text(f"The month's backlog was worked off in {backlog_seconds:.1f} s.", indent="  ")
    if latencies:
        screen.text(
            f"A single change took {median(latencies) * 1000:.0f} ms from Kafka to Xero (median of {len(latencies)}; "
            f"at most {max(latencies) * 1000:.0f} ms).",
            indent="  ",
        )


def show_what_next(screen: Screen) -> None:
    """Show where to look further."""
    screen.heading("Where to look further")
    screen.line("  hearlink-xero demo --keep    the same, left running to be looked into")
    screen.line("  README.md                    what is guaranteed, commands, configuration")
    screen.line("  schemas/README.md            how HearLink publishes, and may change, events")


def show_addresses(screen: Screen, parts: Parts, console_url: str) -> None:
    """Show how to reach what is left running, and three commands to try."""
    screen.heading("All of it is left running: Ctrl-C ends it, and all data with it")
    screen.line(f"  Console    {console_url}")
    screen.line(f"  Kafka      {parts.broker.bootstrap_servers}")
    screen.line(f'  Postgres   127.0.0.1:{parts.postgres.port} (psql "$DATABASE_URL")')
    screen.line(f"  Service    {parts.http_url}/metrics /healthz /readyz")
    for name, tenant_id in zip(TENANT_NAMES, parts.tenant_ids, strict=True):
        screen.line(f"  {name}: books in Xero")
        screen.line(f"    {parts.xero_url}/simulator/ledger?tenant_id={tenant_id}")
    screen.line()
    screen.line("In another terminal:")
    screen.line(f"  . {parts.folder / ENVIRONMENT_FILE}")
    screen.line("  hearlink-xero status")
    screen.line("  hearlink-xero logs --outcome failed")
    screen.line("  hearlink-xero timeline order-live-1")
