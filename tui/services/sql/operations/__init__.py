"""What an operator asks of SQL servers: replication, sessions, locks, sizes, health. Questions and values."""
