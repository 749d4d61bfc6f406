"""A durable workflow engine that lives inside a Django project.

Processes are rows in the admin, an engine runs them, and they wait for people where people
must decide. `docs/` says how; `workflow.operations` is what programs call.
"""
