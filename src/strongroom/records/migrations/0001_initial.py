"""Tables of the records."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.CharField(max_length=40)),
                ("project", models.CharField(blank=True, db_index=True, max_length=40)),
                ("kind", models.CharField(max_length=60)),
                ("actor_id", models.CharField(db_index=True, max_length=100)),
                ("actor_name", models.CharField(blank=True, max_length=200)),
                ("outcome", models.CharField(max_length=20)),
                ("body", models.JSONField()),
                ("raw", models.TextField()),
            ],
            options={
                "ordering": ("seq",),
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=150, unique=True)),
                ("to", models.CharField(db_index=True, max_length=100)),
                ("subject", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("at", models.CharField(max_length=40)),
                ("written", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("sub", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("email", models.CharField(max_length=254)),
                ("groups", models.JSONField(default=list)),
                ("last_seen", models.CharField(max_length=40)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("data", models.BinaryField()),
                ("tokens", models.BinaryField(default=b"")),
                ("tokens_version", models.IntegerField(default=0)),
                ("refresh_until", models.FloatField(default=0)),
                ("expires", models.FloatField(db_index=True)),
            ],
        ),
    ]
