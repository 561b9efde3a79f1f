"""statetui: every stateful workload of a Kubernetes cluster, live in a terminal."""

__version__ = "0.1.0"
