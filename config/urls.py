"""URL roots."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health_pages
from config.observability import door
from metrics.api.seed import SeedOfTrialView, SeedView

# One door: the administration's own sign-in and password pages lead to everybody's.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"

urlpatterns = [
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("", include("config.account_urls")),
    # Browsers ask for it on pages that name no icon, such as the administration's.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icon.svg"), name="favicon"),
    path("health/live", health_pages.live, name="health-live"),
    path("health/ready", health_pages.ready, name="health-ready"),
    path("metrics", door.processes, name="metrics"),
    path("metrics/state", door.installation, name="metrics-state"),
    path("api/", include("config.api")),
    # The seed's address: a participant by study id, or by TRIAL/STUDY-ID.
    path("data/<str:study_id>/<str:metric>", SeedView.as_view(), name="seed-data"),
    path("data/<str:trial>/<str:study_id>/<str:metric>", SeedOfTrialView.as_view(), name="seed-data-of-trial"),
    path("", include("ingestion.urls")),
    path("", include("dashboards.urls")),
]
