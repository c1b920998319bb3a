"""The command `manage.py consent`."""
