"""Forwards on screen: the list and its details, the dialog that opens one, badges and questions."""
