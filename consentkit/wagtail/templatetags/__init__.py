"""Template tags for Wagtail."""
