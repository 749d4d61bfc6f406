"""People unlike Django's own: UUIDs for keys, an e-mail address to log in with, no first or last name."""
