"""One tenant or some: how far behind, and why?"""

from tests.deploy.grafana import Board, Panel

TENANT = Board(
    "hearlink-xero-tenant",
    "HearLink → Xero: tenant",
    (
        (
            "How far behind is it?",
            (
                Panel(
                    "Orders",
                    "short",
                    "Waiting by reason: limit (its budget), retry (a delay), connection, settings, in_doubt, pause.",
                    (
                        ('max by (tenant) (M_orders_due{tenant=~"$tenant"})', "due {{tenant}}"),
                        ('max by (tenant, reason) (M_orders_waiting{tenant=~"$tenant"})', "{{reason}} {{tenant}}"),
                        ('max by (tenant) (M_orders_failed{tenant=~"$tenant"})', "failed {{tenant}}"),
                        ('max by (tenant) (M_orders_settled{tenant=~"$tenant"})', "settled {{tenant}}"),
                    ),
                ),
                Panel(
                    "Oldest due order",
                    "s",
                    "How long it has been due. With budget left: we are slow; see the board of the service.",
                    (('max by (tenant) (M_oldest_due_seconds{tenant=~"$tenant"})', "{{tenant}}"),),
                ),
                Panel(
                    "Oldest change that Xero lacks",
                    "s",
                    "By the state of its order.",
                    (('max by (tenant, state) (M_oldest_pending_seconds{tenant=~"$tenant"})', "{{state}} {{tenant}}"),),
                ),
            ),
        ),
        (
            "Is its budget spent?",
            (
                Panel(
                    "Calls left",
                    "short",
                    "In the minute and in the day, by our count and Xero's word; a rest of the day is kept for people.",
                    (('min by (tenant, window) (M_budget_left_calls{tenant=~"$tenant"})', "{{window}} {{tenant}}"),),
                ),
                Panel(
                    "Calls",
                    "cps",
                    "limited: Xero said 429, which our own count should have prevented (another app of the clinic?).",
                    (
                        (
                            'sum by (tenant, result) (rate(M_tenant_calls_total{tenant=~"$tenant"}[$__rate_interval]))',
                            "{{result}} {{tenant}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    "Not to be called for",
                    "s",
                    "Xero asked us to wait (Retry-After).",
                    (('max by (tenant) (M_frozen_seconds{tenant=~"$tenant"})', "{{tenant}}"),),
                ),
            ),
        ),
        (
            "Is it connected, and does anything hang?",
            (
                Panel(
                    "Connected",
                    "bool_on_off",
                    "Whether Xero lets us into the tenant. Off: somebody must reconnect; nothing is lost meanwhile.",
                    (('min by (tenant) (M_tenant_connected{tenant=~"$tenant"})', "{{tenant}}"),),
                    "stat",
                ),
                Panel(
                    "Age of the refresh token",
                    "s",
                    "By organisation. Renewed with each use; 60 days without use end the connection.",
                    (("max by (organisation) (M_token_age_seconds)", "{{organisation}}"),),
                ),
                Panel(
                    "Oldest call without a known outcome",
                    "s",
                    "Looked up within minutes where Xero answers.",
                    (('max by (tenant) (M_oldest_open_intent_seconds{tenant=~"$tenant"})', "{{tenant}}"),),
                ),
            ),
        ),
    ),
    by_tenant=True,
)
