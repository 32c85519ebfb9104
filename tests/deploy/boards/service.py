"""The service as a whole: do changes get to Xero, and if not, whose fault is it?"""

from tests.deploy.grafana import Board, Panel, quantile


def _share_in_time(window: str) -> str:
    return (
        f'sum(rate(M_sync_latency_seconds_bucket{{le="300.0"}}[{window}])) '
        f"/ sum(rate(M_sync_latency_seconds_count[{window}]))"
    )


SERVICE = Board(
    "hearlink-xero-service",
    "HearLink → Xero: service",
    (
        (
            "Do changes get to Xero in time?",
            (
                Panel(
                    "Changes in Xero within 5 minutes",
                    "percentunit",
                    "The indicator that counts; its objective is 99% of 30 days. Waiting for a person doesn't count.",
                    ((_share_in_time("30d"), "30 days"), (_share_in_time("1h"), "last hour")),
                    "stat",
                ),
                Panel(
                    "From event to Xero",
                    "s",
                    "From the oldest change that Xero had not followed to when it had. Rate limits show here.",
                    tuple(
                        (quantile("sync_latency_seconds", share), f"p{share * 100:.0f}") for share in (0.5, 0.9, 0.99)
                    ),
                ),
                Panel(
                    "Oldest change that Xero lacks",
                    "s",
                    "By what its order is: due (we push it next), waiting (limit, delay, connection), failed (somebody "
                    "must act).",
                    (("max by (state) (M_oldest_pending_seconds)", "{{state}}"),),
                ),
            ),
        ),
        (
            "What is there to do, and what is done?",
            (
                Panel(
                    "Orders to push, waiting, failed, settled",
                    "short",
                    "Due goes down by itself; waiting goes on by itself or after connecting; failed needs someone; "
                    "settled was closed by someone.",
                    (
                        ("sum(max by (tenant) (M_orders_due))", "due"),
                        ("sum(max by (tenant, reason) (M_orders_waiting))", "waiting"),
                        ("sum(max by (tenant) (M_orders_failed))", "failed"),
                        ("sum(max by (tenant) (M_orders_settled))", "settled"),
                    ),
                ),
                Panel(
                    "Orders that left a pass",
                    "cps",
                    "Synced: Xero is in step. In doubt: a call's answer was lost, and Xero is looked at first.",
                    (("sum by (result) (rate(M_orders_finished_total[$__rate_interval]))", "{{result}}"),),
                    stacked=True,
                ),
                Panel(
                    "Open problems",
                    "short",
                    "One may hold many orders. settings, xero, hearlink: somebody there must act; defect: we.",
                    (("max by (problem_class, code) (M_problems_open)", "{{problem_class}}: {{code}}"),),
                    stacked=True,
                ),
            ),
        ),
        (
            "Is Xero the reason?",
            (
                Panel(
                    "Calls to Xero",
                    "cps",
                    "By outcome: the HTTP status, or the error where there was no answer. 429 is a limit.",
                    (("sum by (outcome) (rate(M_calls_total[$__rate_interval]))", "{{outcome}}"),),
                    stacked=True,
                ),
                Panel(
                    "Duration of a call",
                    "s",
                    "p90 by endpoint. A call ends at 20 s, whatever Xero does.",
                    ((quantile("call_seconds", 0.9, "endpoint"), "{{endpoint}}"),),
                ),
                Panel(
                    "Calls by endpoint",
                    "cps",
                    "What the budget goes into; look-ups (GET) grow when answers are lost.",
                    (("sum by (method, endpoint) (rate(M_calls_total[$__rate_interval]))", "{{method}} {{endpoint}}"),),
                ),
            ),
        ),
        (
            "Do people get their pages?",
            (
                Panel(
                    "Console: requests",
                    "reqps",
                    "By what became of them. unavailable: the database was away; failed: a defect of ours.",
                    (("sum by (result) (rate(M_console_requests_total[$__rate_interval]))", "{{result}}"),),
                ),
                Panel(
                    "Console: time to answer",
                    "s",
                    "Until an answer began, p90.",
                    ((quantile("console_request_seconds", 0.9), "p90"),),
                ),
                Panel(
                    "Console: ready",
                    "short",
                    "0: tables, roles, grants or policies are missing. Nothing: Postgres is away.",
                    (("min by (instance) (M_console_ready)", "{{instance}}"),),
                ),
            ),
        ),
        (
            "Are we the reason?",
            (
                Panel(
                    "Processes by role",
                    "short",
                    "How many processes run each role; none of a role means that its work stands still.",
                    (("sum by (role) (M_role_up)", "{{role}}"),),
                ),
                Panel(
                    "Signs of life",
                    "s",
                    "Time since each loop last went round. More than some seconds: it is stuck, or waits for a part.",
                    (
                        ("time() - max by (instance) (M_last_poll_timestamp_seconds)", "poll {{instance}}"),
                        ("time() - max by (instance) (M_last_round_timestamp_seconds)", "push {{instance}}"),
                    ),
                ),
                Panel(
                    "Calls without a known outcome",
                    "short",
                    "Writing calls whose answer was lost; looked up before anything more is sent for their orders.",
                    (("sum(max by (tenant) (M_open_intents))", "open intents"),),
                ),
                Panel(
                    "What ended processes",
                    "short",
                    "Within 10 minutes. brake: too many bad events; offset_lost: Kafka lacks the next event.",
                    (("max by (role, code) (M_role_failures)", "{{role}}: {{code}}"),),
                ),
                Panel(
                    "Results refused, because somebody else is the owner",
                    "short",
                    "A fence did its work. Now and then after a stall; often means two groups on one database.",
                    (("sum by (kind) (increase(M_fences_lost_total[$__rate_interval]))", "{{kind}}"),),
                ),
                Panel(
                    "Version",
                    "short",
                    "Processes by version: more than one during a rollout alone.",
                    (("count by (version, python) (M_build_info)", "{{version}} on Python {{python}}"),),
                ),
            ),
        ),
    ),
)
