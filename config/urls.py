"""URL roots."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path
from django.views.generic import RedirectView

from dashboards.forms import SignInForm
from metrics.api.seed import SeedOfTrialView, SeedView

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path(
        "login/",
        auth_views.LoginView.as_view(authentication_form=SignInForm, redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    # Browsers ask for it on pages that name no icon, such as the administration's.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icon.svg")),
    path("api/", include("config.api")),
    # The seed's address: a participant by her study id, or by TRIAL/STUDY-ID.
    path("data/<str:study_id>/<str:metric>", SeedView.as_view(), name="seed-data"),
    path("data/<str:trial>/<str:study_id>/<str:metric>", SeedOfTrialView.as_view(), name="seed-data-of-trial"),
    path("", include("ingestion.urls")),
    path("", include("dashboards.urls")),
]
