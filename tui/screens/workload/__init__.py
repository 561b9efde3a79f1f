"""The screen of one workload: members, claims, events, why it is not ready, and the objects themselves."""
