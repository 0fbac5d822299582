"""The administration of trials and people: where staff create trials and sites, enrol participants and answer for it.

Every change is made by a service (participants.services and its siblings); these modules say how it is shown. What has
a history is ended or superseded, not edited away: memberships end, a protocol gives way to a new version.
"""

from __future__ import annotations

from django.contrib import admin

from participants.admin import (  # noqa: F401  they register what they show
    accounts,
    audit,
    consent,
    contacts,
    participants,
    team,
    trials,
)

admin.site.site_header = "Wearable Trials"
admin.site.site_title = "Wearable Trials"
admin.site.index_title = "Administration"
# What has a history is not deleted, and what has none is deleted one by one.
admin.site.disable_action("delete_selected")
