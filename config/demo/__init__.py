"""The demo: sample processes, people to log in as, and web site and engine at once. Nothing of it runs elsewhere."""
