"""The site under test in Wagtail, in a process of its own."""
