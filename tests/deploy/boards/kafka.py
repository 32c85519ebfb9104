"""Kafka: do we keep up, and is it well?"""

from tests.deploy.grafana import Board, Panel, quantile

KAFKA = Board(
    "hearlink-xero-kafka",
    "HearLink → Xero: Kafka",
    (
        (
            "Do we keep up?",
            (
                Panel(
                    "Lag in seconds",
                    "s",
                    "Age of the oldest message not projected yet. By topic, its worst partition.",
                    (("max by (topic) (M_lag_seconds)", "{{topic}}"),),
                ),
                Panel(
                    "Lag in messages",
                    "short",
                    "Not projected yet. One process projects some 30,000 a second.",
                    (("sum by (topic) (max by (topic, partition) (M_lag_messages))", "{{topic}}"),),
                ),
                Panel(
                    "Behind an open transaction",
                    "short",
                    "Messages of the lag that nobody can read before a producer ends its transaction.",
                    (("sum by (topic) (max by (topic, partition) (M_lag_held_messages))", "{{topic}}"),),
                ),
                Panel(
                    "Is the lag known?",
                    "short",
                    "1 = yes; 0 = the lag is the last that was known. Above: why not.",
                    (
                        ("min by (topic) (max by (topic, partition) (M_lag_known))", "{{topic}}"),
                        ("max by (topic, reason) (M_topic_unreadable) > 0", "{{topic}}: {{reason}}"),
                    ),
                ),
                Panel(
                    "Events",
                    "cps",
                    "applied, jumped (a sequence is missing before), late, repeated; the rest are dead letters.",
                    (("sum by (outcome) (rate(M_events_total[$__rate_interval]))", "{{outcome}}"),),
                    stacked=True,
                ),
                Panel(
                    "From event to Postgres",
                    "s",
                    "Age of the newest event of each batch at its commit.",
                    tuple((quantile("event_age_seconds", share), f"p{share * 100:.0f}") for share in (0.5, 0.99)),
                ),
            ),
        ),
        (
            "Is the group well?",
            (
                Panel(
                    "Partitions by process",
                    "short",
                    "Who reads how many. Together they are all partitions of both topics.",
                    (("sum by (instance) (M_assigned_partitions)", "{{instance}}"),),
                    stacked=True,
                ),
                Panel(
                    "Partitions that nobody reads",
                    "short",
                    "Of those that Kafka shows. For seconds in a rollout, else 0.",
                    (("sum by (topic) (1 - max by (topic, partition) (M_partition_read))", "{{topic}}"),),
                ),
                Panel(
                    "Waits",
                    "short",
                    "Processes that wait for a part that is away.",
                    (("sum by (part) (M_waits)", "{{part}}"),),
                ),
                Panel(
                    "Rebalances",
                    "short",
                    "assigned and revoked come with rollouts; lost means that the group took them while we were away.",
                    (("sum by (kind) (increase(M_rebalances_total[$__rate_interval]))", "{{kind}}"),),
                ),
                Panel(
                    "Settling the group",
                    "s",
                    "How long it has been unsettled; 0 = everybody knows what to read.",
                    (("max by (instance) (M_group_joining_seconds)", "{{instance}}"),),
                ),
            ),
        ),
        (
            "Are the brokers well?",
            (
                Panel(
                    "Brokers connected",
                    "short",
                    "How many brokers the consumer has a connection to; 0 = Kafka is away.",
                    (("min by (instance) (M_brokers_connected)", "{{instance}}"),),
                ),
                Panel(
                    "Round trip",
                    "s",
                    "How long a broker takes to answer the consumer. Fetches wait up to 0.1 s for messages.",
                    (("max by (broker, of) (M_broker_round_trip_seconds)", "{{broker}} {{of}}"),),
                ),
                Panel(
                    "Throttled",
                    "s",
                    "How long the brokers' quota holds us up.",
                    (("max by (broker) (M_broker_throttle_seconds)", "{{broker}}"),),
                ),
                Panel(
                    "Failures between us and a broker",
                    "short",
                    "send, receive, time_out, disconnect. Idle connections are closed by the brokers now and then.",
                    (
                        (
                            "sum by (broker, kind) (increase(M_broker_failures_total[$__rate_interval]))",
                            "{{broker}} {{kind}}",
                        ),
                    ),
                ),
                Panel(
                    "Fetched and not taken",
                    "bytes",
                    "What lies ready in memory: full under a backlog, bounded by 16 MB a process.",
                    (("max by (instance) (M_fetch_queue_bytes)", "{{instance}}"),),
                ),
            ),
        ),
        (
            "Do results get out?",
            (
                Panel(
                    "Published",
                    "cps",
                    "Results, retry requests and dead letters that Kafka has.",
                    (("sum by (topic) (rate(M_outbox_published_total[$__rate_interval]))", "{{topic}}"),),
                    stacked=True,
                ),
                Panel(
                    "Outbox",
                    "short",
                    "waiting goes down by itself; set_aside was refused for good (too large).",
                    (("max by (state) (M_outbox_messages)", "{{state}}"),),
                ),
                Panel(
                    "Retry requests",
                    "cps",
                    "What came of them: due, unchanged (too old), unknown (no such order), undecodable.",
                    (("sum by (outcome) (rate(M_retry_requests_total[$__rate_interval]))", "{{outcome}}"),),
                ),
            ),
        ),
    ),
)
