"""The catalogue: which system is this, who is primary, is it well, and why not."""
