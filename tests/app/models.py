"""What a project may have: rows of its own that refer to instances."""

from django.db import models


class Receipt(models.Model):
    """One that must not lose the instance that it came from."""

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey("workflow.RunningProcesses", models.PROTECT)

    def __str__(self) -> str:
        return f"of {self.instance}"
