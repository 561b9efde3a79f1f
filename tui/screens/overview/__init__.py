"""The first screen: every workload, as panes or as a table."""
