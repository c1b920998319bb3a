"""Stride, a running magazine: a whole Starlette site whose handlers ask for consent and obey it."""
