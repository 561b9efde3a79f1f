"""What the screens can do, for scripts: `get`, `doctor`."""
