from django.apps import AppConfig


class ParticipantsConfig(AppConfig):
    name = "participants"
    default_auto_field = "django.db.models.AutoField"  # int4: participant ids are part of every measurement's key

    def ready(self) -> None:
        from participants import sign_in_history

        sign_in_history.connect()
