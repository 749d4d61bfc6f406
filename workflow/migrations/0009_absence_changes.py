import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflow", "0008_at_once_help"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="absence",
            options={
                "ordering": ["-first_day", "pk"],
                "permissions": [("manage_absences", "Can enter, change and delete absences of other people")],
                "verbose_name": "absence",
                "verbose_name_plural": "absences",
            },
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("WAITS", "waits for you"),
                    ("DELEGATED", "was handed on to you"),
                    ("REMINDER", "reminder"),
                    ("ESCALATED", "escalated to you"),
                    ("DECIDED", "decided by default"),
                    ("DIGEST", "daily digest"),
                    ("ABSENCE", "your absence, entered by somebody else"),
                ],
                max_length=10,
                verbose_name="what",
            ),
        ),
        migrations.CreateModel(
            name="AbsenceChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "action",
                    models.CharField(
                        choices=[("ADDED", "entered"), ("CHANGED", "changed"), ("DELETED", "deleted")],
                        max_length=10,
                        verbose_name="what",
                    ),
                ),
                (
                    "origin",
                    models.JSONField(help_text="Who did it, by the name that they had then, and how.", verbose_name="how"),
                ),
                (
                    "before",
                    models.JSONField(
                        help_text="Who was away, their stand-in and the days. Empty: the absence is new.",
                        null=True,
                        verbose_name="before",
                    ),
                ),
                (
                    "after",
                    models.JSONField(
                        help_text="The same after the change. Empty: the absence was deleted.", null=True, verbose_name="after"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "absence",
                    models.ForeignKey(
                        help_text="Empty once it was deleted.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="changes",
                        to="workflow.absence",
                        verbose_name="absence",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="who is away",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of an absence",
                "verbose_name_plural": "changes of absences",
                "ordering": ["-pk"],
            },
        ),
        migrations.AddField(
            model_name="notice",
            name="absence_change",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="workflow.absencechange",
                verbose_name="change of an absence",
            ),
        ),
    ]
