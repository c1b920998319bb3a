"""What an answer lets through: cookies, the Content-Security-Policy, embeds."""
