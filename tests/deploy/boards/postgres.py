"""Postgres: is it there, quick, and tidy?"""

from tests.deploy.grafana import Board, Panel, quantile

POSTGRES = Board(
    "hearlink-xero-postgres",
    "HearLink → Xero: Postgres",
    (
        (
            "Does it answer, and how quickly?",
            (
                Panel(
                    "Answers",
                    "bool_on_off",
                    "Whether Postgres answered each process's last look.",
                    (("min by (instance) (M_database_up)", "{{instance}}"),),
                    "stat",
                ),
                Panel(
                    "Duration of a commit of the projection",
                    "s",
                    "One transaction: offsets and up to 4,000 messages.",
                    tuple((quantile("commit_seconds", share), f"p{share * 100:.0f}") for share in (0.5, 0.99)),
                ),
                Panel(
                    "Waiting for parts",
                    "percentunit",
                    "Share of the time that the projection waits for postgres, kafka or registry.",
                    (("sum by (part) (rate(M_waiting_seconds_total[$__rate_interval]))", "{{part}}"),),
                ),
            ),
        ),
        (
            "Where does the projection's time go?",
            (
                Panel(
                    "Time by phase",
                    "percentunit",
                    "Seconds a second: poll, decode, wait (the reading thread); load, fold, write (the writing one).",
                    (("sum by (phase) (rate(M_loop_seconds_total[$__rate_interval]))", "{{phase}}"),),
                    stacked=True,
                ),
                Panel(
                    "Messages and orders in a batch",
                    "short",
                    "Means. Many messages to few orders: folding saves writes.",
                    (
                        (
                            (
                                "sum(rate(M_batch_messages_sum[$__rate_interval])) "
                                "/ sum(rate(M_batch_messages_count[$__rate_interval]))"
                            ),
                            "messages",
                        ),
                        (
                            (
                                "sum(rate(M_batch_orders_sum[$__rate_interval])) "
                                "/ sum(rate(M_batch_orders_count[$__rate_interval]))"
                            ),
                            "orders",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Does anything pile up?",
            (
                Panel(
                    "Oldest message of the outbox",
                    "s",
                    "Results are published within a second while Kafka answers.",
                    (("max(M_oldest_outbox_seconds)", "oldest"),),
                ),
                Panel(
                    "Leases",
                    "short",
                    "held: tenants that are being served; expired: the owner is gone, and nobody took over.",
                    (("max by (state) (M_leases)", "{{state}}"),),
                ),
                Panel(
                    "Dead letters nobody has looked after",
                    "short",
                    "By reason; hearlink-xero dead-letters shows them.",
                    (("max by (reason) (M_dead_letters_open)", "{{reason}}"),),
                    stacked=True,
                ),
                Panel(
                    "Age of these numbers",
                    "s",
                    "They are read from Postgres at most once in 5 s a process.",
                    (("max by (instance) (M_gauges_age_seconds)", "{{instance}}"),),
                ),
            ),
        ),
    ),
)
