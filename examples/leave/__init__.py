"""Days off: a project that uses the app."""
