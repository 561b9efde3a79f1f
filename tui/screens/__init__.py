"""The Textual application and its screens."""
