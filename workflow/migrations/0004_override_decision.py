from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("workflow", "0003_keys"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="runningprocesses",
            options={
                "ordering": ["-pk"],
                "permissions": [
                    ("operate_instances", "Can cancel, pause, resume, retry and redirect instances"),
                    ("override_decision", "Can send instances past tasks that people have not decided"),
                ],
                "verbose_name": "running process",
                "verbose_name_plural": "running processes",
            },
        ),
    ]
