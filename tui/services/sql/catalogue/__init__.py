"""What a server holds: databases, relations, columns … read lazily, one statement at a time."""
