from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflow", "0005_engine_reports"),
    ]

    operations = [
        migrations.AlterField(
            model_name="process",
            name="starters",
            field=models.CharField(
                blank=True,
                help_text="Names of users and groups who alone may start it, separated by commas. Where a user and a group have the same name, write user:NAME or group:NAME. Blank: whoever has the permission “Can add running process”.",
                max_length=500,
                verbose_name="who starts it",
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="approver",
            field=models.CharField(
                blank=True,
                help_text='Who may decide a manual task: names of users and groups, separated by commas, or an expression that gives them, such as =data["manager"]. Where a user and a group have the same name, write user:NAME or group:NAME. Blank: any member of staff.',
                max_length=500,
                verbose_name="approver",
            ),
        ),
    ]
