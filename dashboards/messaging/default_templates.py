"""The letters that every trial begins with, in each language: code -> causes, and (title, subject, text) by language.

They name no vendor: to participants it is their watch and the app that belongs to it.
"""

from __future__ import annotations

from metrics.models import Cause

SYNC, CHARGE, WEAR, CONNECT, RECONNECT = "sync", "charge", "wear", "connect", "reconnect"

CAUSES: dict[str, tuple[Cause, ...]] = {
    SYNC: (Cause.NOT_SYNCED, Cause.UNKNOWN),
    CHARGE: (Cause.BATTERY_FLAT,),
    WEAR: (Cause.OFF_WRIST,),
    CONNECT: (Cause.NEVER_CONNECTED,),
    RECONNECT: (Cause.TOKEN_DEAD, Cause.CONSENT_PARTIAL),
}

EN = ("Dear {{ first_name }},", "Does it not work? Answer this e-mail or call us.\n\n{{ site_name }}, {{ site_phone }}")
NL = (
    "Beste {{ first_name }},",
    "Lukt het niet? Beantwoord deze e-mail of bel ons.\n\n{{ site_name }}, {{ site_phone }}",
)
DE = (
    "Guten Tag {{ first_name }},",
    "Klappt es nicht? Antworten Sie auf diese E-Mail oder rufen Sie uns an.\n\n{{ site_name }}, {{ site_phone }}",
)
FRAMES = {"en": EN, "nl": NL, "de": DE}

TEXTS: dict[str, dict[str, tuple[str, str, str]]] = {
    SYNC: {
        "en": (
            "Please sync your watch",
            "A quick check of your watch",
            "We have not received data from your {{ device }} since {{ last_upload }}. {{ salvage_sentence }}\n\n"
            "Please do this today:\n1. Charge the watch.\n"
            "2. Open the app of your watch and wait until it says that it has synced.",
        ),
        "nl": (
            "Synchroniseer uw horloge",
            "Even uw horloge nakijken",
            "We hebben sinds {{ last_upload }} geen gegevens van uw {{ device }} ontvangen. {{ salvage_sentence }}\n\n"
            "Wilt u dit vandaag doen?\n1. Laad het horloge op.\n"
            "2. Open de app van uw horloge en wacht tot er staat dat het gesynchroniseerd is.",
        ),
        "de": (
            "Bitte synchronisieren Sie Ihre Uhr",
            "Ein kurzer Blick auf Ihre Uhr",
            "Wir haben von Ihrem Gerät ({{ device }}) seit {{ last_upload }} keine Daten bekommen. "
            "{{ salvage_sentence }}\n\nBitte machen Sie heute Folgendes:\n1. Laden Sie die Uhr auf.\n"
            "2. Öffnen Sie die App Ihrer Uhr und warten Sie, bis sie meldet, dass synchronisiert wurde.",
        ),
    },
    CHARGE: {
        "en": (
            "Charge your watch",
            "Your watch needs charging",
            "The battery of your {{ device }} seems to be empty: we have had no data since {{ last_upload }}. "
            "{{ salvage_sentence }}\n\nPlease do this today:\n1. Charge the watch until it is full.\n"
            "2. Open the app of your watch once, so that it can send what it has stored.\n"
            "3. Put it on again, at night too.",
        ),
        "nl": (
            "Laad uw horloge op",
            "Uw horloge moet worden opgeladen",
            "De batterij van uw {{ device }} lijkt leeg: sinds {{ last_upload }} kregen we geen gegevens. "
            "{{ salvage_sentence }}\n\nWilt u dit vandaag doen?\n1. Laad het horloge helemaal op.\n"
            "2. Open de app van uw horloge een keer, zodat het kan versturen wat het heeft bewaard.\n"
            "3. Doe het weer om, ook ’s nachts.",
        ),
        "de": (
            "Laden Sie Ihre Uhr auf",
            "Ihre Uhr muss geladen werden",
            "Der Akku Ihres Geräts ({{ device }}) scheint leer zu sein: Seit {{ last_upload }} kamen keine Daten. "
            "{{ salvage_sentence }}\n\nBitte machen Sie heute Folgendes:\n1. Laden Sie die Uhr ganz auf.\n"
            "2. Öffnen Sie einmal die App Ihrer Uhr, damit sie senden kann, was sie gespeichert hat.\n"
            "3. Legen Sie sie wieder an, auch nachts.",
        ),
    },
    WEAR: {
        "en": (
            "Please wear your watch",
            "Wearing your watch",
            "Your {{ device }} sends data, but it seems that it has not been worn much lately. Each day counts for "
            "{{ study }} when the watch is worn for {{ wear_hours }} hours or more.\n\n"
            "What helps:\n- Wear it day and night; take it off to shower only.\n"
            "- Charge it while you sit at a meal.\n- Wear it a finger’s breadth above the wrist bone.",
        ),
        "nl": (
            "Draag uw horloge",
            "Het dragen van uw horloge",
            "Uw {{ device }} verstuurt gegevens, maar het lijkt de laatste tijd weinig te zijn gedragen. Een dag telt "
            "voor {{ study }} als het horloge {{ wear_hours }} uur of langer is gedragen.\n\n"
            "Wat helpt:\n- Draag het dag en nacht; doe het alleen af onder de douche.\n"
            "- Laad het op terwijl u aan tafel zit.\n- Draag het een vingerbreedte boven het polsbotje.",
        ),
        "de": (
            "Bitte tragen Sie Ihre Uhr",
            "Das Tragen Ihrer Uhr",
            "Ihr Gerät ({{ device }}) sendet Daten, wurde aber in letzter Zeit offenbar wenig getragen. Ein Tag zählt "
            "für {{ study }}, wenn die Uhr {{ wear_hours }} Stunden oder länger getragen wurde.\n\n"
            "Was hilft:\n- Tragen Sie sie Tag und Nacht; legen Sie sie nur zum Duschen ab.\n"
            "- Laden Sie sie, während Sie beim Essen sitzen.\n"
            "- Tragen Sie sie eine Fingerbreite über dem Handgelenkknochen.",
        ),
    },
    CONNECT: {
        "en": (
            "Finish connecting",
            "One step is missing: connect your watch",
            "Thank you for taking part in {{ study }}. Your watch is not connected to the study yet, so nothing "
            "reaches us.\n\nPlease do this today:\n1. Open this link on your phone: {{ reconnect_link }}\n"
            "2. Choose the account that you use in the app of your watch, and allow what it asks.\n\n"
            "The link is only for you and works for some days.",
        ),
        "nl": (
            "Maak het verbinden af",
            "Nog één stap: verbind uw horloge",
            "Dank u dat u meedoet aan {{ study }}. Uw horloge is nog niet met het onderzoek verbonden; er komt dus "
            "niets bij ons aan.\n\nWilt u dit vandaag doen?\n1. Open deze link op uw telefoon: {{ reconnect_link }}\n"
            "2. Kies het account dat u in de app van uw horloge gebruikt, en sta toe wat er wordt gevraagd.\n\n"
            "De link is alleen voor u en werkt enkele dagen.",
        ),
        "de": (
            "Bitte verbinden Sie Ihre Uhr",
            "Ein Schritt fehlt noch: Verbinden Sie Ihre Uhr",
            "Danke, dass Sie an {{ study }} teilnehmen. Ihre Uhr ist noch nicht mit der Studie verbunden; deshalb "
            "erreicht uns nichts.\n\nBitte machen Sie heute Folgendes:\n"
            "1. Öffnen Sie diesen Link auf Ihrem Telefon: {{ reconnect_link }}\n"
            "2. Wählen Sie das Konto, das Sie in der App Ihrer Uhr benutzen, und erlauben Sie, was gefragt wird.\n\n"
            "Der Link ist nur für Sie und gilt einige Tage.",
        ),
    },
    RECONNECT: {
        "en": (
            "Please reconnect",
            "Please connect your watch again",
            "The connection between your {{ device }} and {{ study }} has ended or lets through only a part, which "
            "can happen by itself. We have had no data since {{ last_upload }}.\n\n"
            "Please do this today:\n1. Open this link on your phone: {{ reconnect_link }}\n"
            "2. Choose the same account as before and tick every box.\n\nThe link is only for you.",
        ),
        "nl": (
            "Verbind opnieuw",
            "Verbind uw horloge opnieuw",
            "De verbinding tussen uw {{ device }} en {{ study }} is verbroken of laat maar een deel door; dat kan "
            "vanzelf gebeuren. Sinds {{ last_upload }} kregen we geen gegevens.\n\n"
            "Wilt u dit vandaag doen?\n1. Open deze link op uw telefoon: {{ reconnect_link }}\n"
            "2. Kies hetzelfde account als eerder en vink elk vakje aan.\n\nDe link is alleen voor u.",
        ),
        "de": (
            "Bitte neu verbinden",
            "Bitte verbinden Sie Ihre Uhr neu",
            "Die Verbindung zwischen Ihrem Gerät ({{ device }}) und {{ study }} ist beendet oder lässt nur einen "
            "Teil durch; das kann von selbst geschehen. Seit {{ last_upload }} kamen keine Daten.\n\n"
            "Bitte machen Sie heute Folgendes:\n1. Öffnen Sie diesen Link auf Ihrem Telefon: {{ reconnect_link }}\n"
            "2. Wählen Sie dasselbe Konto wie zuvor und haken Sie jedes Kästchen an.\n\nDer Link ist nur für Sie.",
        ),
    },
}


def body(language: str, text: str) -> str:
    """A letter's text between its language's greeting and ending."""
    greeting, ending = FRAMES[language]
    return f"{greeting}\n\n{text}\n\n{ending}\n"
