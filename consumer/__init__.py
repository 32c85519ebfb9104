"""Keeps the books of HearLink's clinics in Xero in step with their orders.

The rooms, from the ground up; each uses only rooms above it in this list:

database    connections, migrations, named SQL
orders      the order's types and the fold of events into state; pure
contract    Avro in and out, schema registry
settings    organisation defaults, clinic overrides, their resolution
xero        HTTP client, tokens, budget, payload types, error parsing; knows nothing of orders
results     sync log, problems, outbox and relay, retry messages
projection  Kafka to Postgres: poll, claim, swap, bulk write, dead letters
sync        planner, queue, lease, intents, stages, recovery
operations  metrics, health, logs; the process that runs the roles
export · console · cli    the faces
sandbox     embedded broker and database, Xero simulator, sample clinics; only demo, sandbox and tests import it
"""
