"""The bucket console."""
