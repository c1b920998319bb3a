"""HTML read as it streams, and markup inserted into it; nothing about consent."""
