"""One machine: PostgreSQL, nats-server and the three services, from wheels."""
