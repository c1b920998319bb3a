"""Stride, a running magazine: a complete Starlette site whose handlers ask for consent and obey the answer."""
