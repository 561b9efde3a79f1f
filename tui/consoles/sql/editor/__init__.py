"""The editor of the SQL console: buffers, their texts, completion, history, snippets."""
