"""Five processes to try, with their actions: what a project's own app for its processes looks like."""
