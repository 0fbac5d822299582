"""URL roots."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.health import views as health_views
from config.observability import views as observability_views
from metrics.api.legacy_data import SeedOfTrialView, SeedView

# One sign-in: the administration's own sign-in and password pages lead to everybody's.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "config.errors.views.bad_request"
handler404 = "config.errors.views.not_found"
handler500 = "config.errors.views.server_error"

urlpatterns = [
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("", include("config.urls_accounts")),
    # Browsers ask for it on pages that name no icon, such as the administration's.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icon.svg"), name="favicon"),
    path("health/live", health_views.live, name="health-live"),
    path("health/ready", health_views.ready, name="health-ready"),
    path("metrics", observability_views.processes, name="metrics"),
    path("metrics/state", observability_views.installation, name="metrics-state"),
    path("api/", include("config.api.urls")),
    # The seed's address: a participant by study id, or by TRIAL/STUDY-ID.
    path("data/<str:study_id>/<str:metric>", SeedView.as_view(), name="seed-data"),
    path("data/<str:trial>/<str:study_id>/<str:metric>", SeedOfTrialView.as_view(), name="seed-data-of-trial"),
    path("", include("ingestion.urls")),
    path("", include("dashboards.urls")),
]
