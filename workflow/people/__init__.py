"""People: who may decide what waits, what they answer, and what they hand on. `workflow.operations` is the door to it."""
