"""What visitors' browsers, ledgers and other programs rely on, recorded once and compared at every change.

`python -m tests.contract` records it again, on purpose.
"""
