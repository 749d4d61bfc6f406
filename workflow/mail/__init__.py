"""E-mail to people: what is queued by `workflow.notices`, brought to persons, written, and counted as sent.

Nothing here opens a connection to a mail server but `EmailMessage.send`, which `workflow.engine.post` calls.
"""
