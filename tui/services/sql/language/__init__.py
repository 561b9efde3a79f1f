"""What statements are made of, without asking a server: tokens, statements, their kind, completion."""
