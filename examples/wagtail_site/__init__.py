"""A running club's site in Wagtail: an article with a video from an editor, and nothing that loads before a visitor agrees."""
