"""The console of message brokers."""
