"""Settings of Wearable Trials. Every deployment value is read from the environment, here and nowhere else.

`.env` in the project's root is read if it exists; real environment variables win over it. A value that is
missing or malformed stops the start with a message that names it. `.env.example` documents every variable.

Contents:

1. Reading the environment
2. Site
3. Apps, middleware, templates
4. Database
5. API
6. Accounts
7. Languages and time
8. Static files
9. Cookies, HTTPS, uploads
10. Redis, caches, Celery
11. Heartbeats
12. Store and exports
13. Keys
14. Vendors and links
15. Sync
16. Providers
17. Kept outside the database: erasures, the head of the audit trail, buckets
18. Synthetic devices
19. E-mail
20. Content security policy
21. Metrics and traces
22. Logs

One file, although it is long: each section is flat, later ones build on earlier ones (HTTPS, REDIS_URL), and whoever
installs the product or reviews its security reads every default in one place.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured

from config.api.openapi import openapi
from config.middleware.content_security_policy import content_policy
from config.observability import multiprocess
from participants import team_texts

# --- Reading the environment ---
BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()  # NAME_FILE=/run/secrets/x stands for NAME, so secrets need not be in the environment
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")
# The embedded servers' addresses, while they run: so that `manage.py` finds them without being told.
if (BASE_DIR / "var" / "embedded.env").is_file() and not env.str("DB_NAME", default=""):
    env.read_env(BASE_DIR / "var" / "embedded.env")


def boolean(name: str, default: bool) -> bool:
    """A switch. Anything but a clear yes or no is refused, so that a typing error cannot mean "no"."""
    raw = env.str(name, default="").strip().lower()
    if raw in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return raw in ("1", "true", "yes", "on") if raw else default
    raise ImproperlyConfigured(f"{name} must be True or False, not {raw!r}.")


def secret(name: str) -> str:
    """A value taken letter by letter: django-environ reads one that begins with $ as the name of another variable.

    The line end that editors put at the end of a file belongs to no secret.
    """
    return str(env.ENVIRON.get(name, "")).rstrip("\r\n")


def clock_time(name: str) -> dt.time | None:
    """A time of day such as 06:00, or None where the variable is empty."""
    raw = env.str(name, default="").strip()
    try:
        return dt.time.fromisoformat(raw) if raw else None
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a time of day such as 06:00, not {raw!r}.") from None


def database_url() -> str:
    """DATABASE_URL, else one made of the DB_* names that the product's first version documented."""
    url = secret("DATABASE_URL")
    if url:
        return url
    name = env.str("DB_NAME", default="")
    if not name:
        raise ImproperlyConfigured(
            "No database is configured. Set DATABASE_URL (postgresql://user:password@host:5432/name) or "
            "DB_NAME, DB_USER, DB_PASS, DB_HOST and DB_PORT; or run `make demo`, which brings its own."
        )
    user, password = (
        quote(env.str("DB_USER", default="") or "postgres", safe=""),
        quote(secret("DB_PASS"), safe=""),
    )
    host, port = env.str("DB_HOST", default="") or "localhost", env.str("DB_PORT", default="") or "5432"
    if host.startswith("/"):  # the folder of a Unix socket
        return f"postgresql://{user}:{password}@/{quote(name, safe='')}?host={quote(host)}&port={port}"
    return f"postgresql://{user}:{password}@{host}:{port}/{quote(name, safe='')}"


def database() -> dict[str, Any]:
    config = dict(env.db_url_config(database_url()))
    if config.get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL server (postgresql://...).")
    config["ENGINE"] = "config.db"
    config["CONN_MAX_AGE"] = env.int("DB_CONN_MAX_AGE", default=60)
    config["CONN_HEALTH_CHECKS"] = True
    # No prepared statements: they break behind PgBouncer and when a table's shape changes under a connection.
    options = dict(config.get("OPTIONS", {}))
    # A Unix socket comes as postgresql://user@/name?host=/folder; Django's own tools look for it in HOST.
    config["HOST"] = options.pop("host", config["HOST"])
    config["PORT"] = options.pop("port", config["PORT"])
    # A host that is gone is given up after some seconds, while connecting and in the midst of a response.
    given_up = {"connect_timeout": 5, "tcp_user_timeout": 30_000}
    config["OPTIONS"] = {**given_up, **options, "prepare_threshold": None}
    return config


# --- Site ---
DEBUG = boolean("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set. Give it a long random value (or SECRET_KEY_FILE a path).")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True where the site is served over HTTPS: cookies, HSTS and redirects follow.
HTTPS = boolean("HTTPS", default=False)
# True behind one proxy, which says by X-Forwarded-Proto and X-Forwarded-For how and for whom it asks.
BEHIND_PROXY = boolean("BEHIND_PROXY", default=False)

# --- Apps, middleware, templates ---
INSTALLED_APPS = [
    "config.apps.WiringConfig",
    # Before our apps, so that what its own apps register in the administration can be taken out again.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "participants",
    "metrics",
    "ingestion",
    "dashboards",
    "django_htmx",
    "csp",
    "timescale",
    "config.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "config.observability.middleware.RequestId",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.headers.Headers",
    "config.health.views.HealthEndpoint",
    "config.observability.views.MetricsEndpoint",
    "participants.api.base.compression.Compression",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.limits.RequestLimits",
    "config.middleware.limits.RateLimits",
    "config.middleware.sessions.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "participants.audit.middleware.audit_context",
    "participants.admin.access_log_middleware.AdminAccessLog",
    "allauth.account.middleware.AccountMiddleware",
    "participants.accounts.session_middleware.SessionLife",
    "participants.accounts.two_factor.SecondFactorGate",
    "config.observability.middleware.Measured",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database ---
DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Warns of a time of day as a default, a quiet hour say, in the ten seconds before and after it strikes, as though
# somebody had written now() without meaning to.
SILENCED_SYSTEM_CHECKS = ["fields.W161"]

# --- API ---
REST_FRAMEWORK = {
    # The first one's challenge answers who brings nothing: 401 and not a login page.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "participants.api.base.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["participants.api.base.authentication.SignedIn"],
    "DEFAULT_THROTTLE_CLASSES": ["participants.api.base.throttling.PerToken"],
    "DEFAULT_PAGINATION_CLASS": "participants.api.base.pagination.Pages",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["participants.api.base.parsers.Json"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "participants.api.base.exceptions.handler",
    # Whose address counts where nobody has signed in: never what a client says of itself.
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = openapi()
# Requests that each token may make.
API_RATE = env.str("API_RATE", default="600/minute")

# --- Accounts ---
# docs/accounts.md says how people sign in.
AUTH_USER_MODEL = "participants.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "participants.services.published_password.NotPublished"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboards:trial-list"
LOGOUT_REDIRECT_URL = "login"
# scrypt is memory-hard and part of Python; passwords hashed before are taken over when their owners sign in.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["participants.accounts.allauth_adapters.Backend"]
# Whether those who can see contact data must have a second factor. Optional is for demos.
SECOND_FACTOR = env.str("SECOND_FACTOR", default="") or "required"
if SECOND_FACTOR not in ("required", "optional"):
    raise ImproperlyConfigured(f"SECOND_FACTOR must be required or optional, not {SECOND_FACTOR!r}.")
# Whether this is a demo: only there, and only without a real trial, does the demo's published password sign anybody in.
DEMO = env.bool("DEMO", default=False)
# A session ends after so many minutes without activity, and after so many hours in any case.
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
SESSION_HOURS = env.int("SESSION_HOURS", default=12)
if SESSION_IDLE_MINUTES < 5 or SESSION_HOURS < 1:
    raise ImproperlyConfigured("SESSION_IDLE_MINUTES must be 5 or more, SESSION_HOURS 1 or more.")
SESSION_ENGINE = "participants.accounts.sessions"
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
COLLEAGUE_INVITATION_DAYS = env.int("COLLEAGUE_INVITATION_DAYS", default=3)
PASSWORD_RESET_TIMEOUT = 4 * 3600
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
ACCOUNT_ADAPTER = "participants.accounts.allauth_adapters.Adapter"
ACCOUNT_FORMS = {"reset_password": "dashboards.accounts.forms.ResetForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # staff and managers make accounts; a link by e-mail is the way in
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    # Of one account, five in a quarter of an hour; of one address, enough for a clinic's shared one.
    "login_failed": "20/m/ip,5/15m/key",
    "reset_password": "10/m/ip,3/10m/key",
}
MFA_ADAPTER = "participants.accounts.allauth_adapters.SecondFactorAdapter"
MFA_FORMS = {
    "add_webauthn": "dashboards.accounts.forms.AddPasskeyForm",
    "login_webauthn": "dashboards.accounts.forms.PasskeySignInForm",
    "reauthenticate_webauthn": "dashboards.accounts.forms.PasskeyAgainForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody signs up, so no address is claimed that is another's
MFA_TOTP_ISSUER = "Wearable Trials"
MFA_TOTP_TOLERANCE = 1  # half a minute either way
MFA_RECOVERY_CODES_SHOW_ONCE = True

# --- Languages and time ---
# What participants read is in their language (participants.privacy.languages), the team's pages in one for the whole
# installation; all else is in the first one: there is no middleware that goes by the browser.
team_texts.use(env.str("TEAM_LANGUAGE", default=team_texts.ENGLISH))
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("nl", "Dutch"), ("de", "German")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- Static files ---
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

# --- Cookies, HTTPS, uploads ---
# The browser keeps a name with this prefix for this very host, over HTTPS: no neighbour under the domain can set it.
HOST_ONLY = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{HOST_ONLY}sessionid"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = HTTPS
# Not "Strict": participants come back from the vendor's screen, and staff from the links in their e-mails.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{HOST_ONLY}csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
# What is said to somebody once stays on the server: a cookie would outlive the session.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# Files that other sites have no business with.
WHITENOISE_ALLOW_ALL_ORIGINS = False
# A request's body in all, with its files; and what of it may be a form or JSON, which is read into memory.
MOST_BODY_BYTES = env.int("UPLOAD_MAX_MB", default=20) * 2**20
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FILES = 10
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# --- Redis, caches, Celery ---
# Celery's messages, and nothing that must last: what must last is in PostgreSQL.
REDIS_URL = secret("REDIS_URL") or "redis://127.0.0.1:6379/0"
# Apart, so that it can be a file; a password in the address wins.
REDIS_PASSWORD = secret("REDIS_PASSWORD")
if REDIS_PASSWORD and "@" not in REDIS_URL:
    REDIS_URL = re.sub(r"^(rediss?://)", lambda scheme: f"{scheme[1]}:{quote(REDIS_PASSWORD, safe='')}@", REDIS_URL)
CELERY_BROKER_URL = REDIS_URL
CACHES = {
    # Counts of failed attempts to sign in. In the database and not in Redis: all processes share it, and where it is
    # away nobody can sign in anyway, so that a limit neither falls open nor keeps people out. Made by `migrate`.
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        # Far more than an hour's attempts: nobody may push a counter out by filling the table.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    # Counts of requests without a login and of the API's, of all processes together.
    "shared": {
        "BACKEND": "config.cache.SharedCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "KEY_PREFIX": "wearable",
    },
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    # Without limits a page that queues something would wait for ever for a Redis that hangs. What cannot be queued
    # stands in PostgreSQL, and beat finds it.
    "socket_connect_timeout": 1.0,
    "socket_timeout": 1.0,
    "socket_keepalive": True,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0, "interval_max": 0.1}
# A broker that comes back is found again within some seconds, however long it was away.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
# Exports take long: a worker of their own serves this queue, so that syncing goes on meanwhile.
CELERY_TASK_ROUTES = {"metrics.export_run": {"queue": "exports"}}
# In memory: what is due stands in PostgreSQL, and a schedule file that a power cut left half-written stops beat.
# Any number may run: one holds a lease and sends.
CELERY_BEAT_SCHEDULER = "config.celery_scheduler:LeasedScheduler"

# --- Heartbeats ---
# Our programs say each so many seconds that they live; the scheduler's lease lasts two beats, and who was not heard
# of for six is taken for dead.
HEARTBEAT_SECONDS = env.float("HEARTBEAT_SECONDS", default=30.0)
if not 0.2 <= HEARTBEAT_SECONDS <= 300:
    raise ImproperlyConfigured("HEARTBEAT_SECONDS must lie between 0.2 and 300.")
SCHEDULER_LEASE_SECONDS = 2 * HEARTBEAT_SECONDS
HEARTBEAT_STALE_SECONDS = 6 * HEARTBEAT_SECONDS

# --- Store and exports ---
# So many participants with new data are evaluated together as soon as they have gathered; fewer within seconds.
EVALUATION_BATCH = env.int("EVALUATION_BATCH", default=50)
if not 1 <= EVALUATION_BATCH <= 1000:
    raise ImproperlyConfigured("EVALUATION_BATCH must lie between 1 and 1000.")

# Chunks older than this are compressed, where the server is TimescaleDB's Community edition.
COMPRESS_AFTER_DAYS = env.int("COMPRESS_AFTER_DAYS", default=30)
# Whether the nightly maintenance fits the length of new chunks to the number of participants
# (metrics.storage.hypertables).
CHUNKS_BY_TRIAL_SIZE = boolean("CHUNKS_BY_TRIAL_SIZE", default=True)

# Where exports' files lie (a bucket, or else a folder that all hosts share), and for how many days.
EXPORT_STORE = env.str("EXPORT_STORE", default="").rstrip("/")
EXPORT_FOLDER = Path(env.str("EXPORT_FOLDER", default="") or BASE_DIR / "var" / "exports")
EXPORT_DAYS = env.int("EXPORT_DAYS", default=7)

# --- Keys ---
# Participants' tokens are encrypted with the first of these and decrypted with any: put a new key first to rotate.
TOKEN_KEYS = [key for key in secret("TOKEN_KEYS").split(",") if key]
# The audit trail is authenticated with the first of these and verified with any: put a new key first to rotate.
AUDIT_KEYS = [key for key in secret("AUDIT_KEYS").split(",") if key] or [SECRET_KEY]
AUDIT_KEYS_SET = bool(secret("AUDIT_KEYS"))

# --- Vendors and links ---
# The OAuth client that the trial's team has registered with the vendor.
CLIENT_ID = env.str("CLIENT_ID", default="")
CLIENT_SECRET = secret("CLIENT_SECRET")
# A simulator that plays the vendor, for demos and tests: what comes from it is marked as synthetic.
GOOGLE_SIMULATOR_URL = env.str("GOOGLE_SIMULATOR_URL", default="").rstrip("/")
# Ask for the members that we keep alone, and of which devices (empty: of all). Both are uncertain at the vendor's.
GOOGLE_USE_FIELDS = boolean("GOOGLE_USE_FIELDS", default=True)
GOOGLE_DATA_SOURCE_FAMILY = env.str("GOOGLE_DATA_SOURCE_FAMILY", default="")
# The address under which participants and the vendor reach this site, for links and redirects.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
INVITATION_DAYS = env.int("INVITATION_DAYS", default=14)

# --- Sync ---
# When to pull: every so many minutes, or once a day at an hour (SYNC_AT, e.g. 06:00, in UTC).
SYNC_EVERY_MINUTES = env.int("SYNC_EVERY_MINUTES", default=360)
SYNC_AT = clock_time("SYNC_AT")
SYNC_JITTER_MINUTES = env.int("SYNC_JITTER_MINUTES", default=10)
# The last hours are read in full at each pass; up to the watched days, what the vendor restated; and all of the
# watched days every so many days, as a safety net.
SYNC_FRESH_HOURS = env.int("SYNC_FRESH_HOURS", default=36)
SYNC_WATCH_DAYS = env.int("SYNC_WATCH_DAYS", default=7)
SYNC_SWEEP_DAYS = env.int("SYNC_SWEEP_DAYS", default=7)
# A window that fails so often is left to staff.
SYNC_ATTEMPTS = env.int("SYNC_ATTEMPTS", default=6)
# Seconds before a second attempt, doubled from attempt to attempt, with jitter.
SYNC_RETRY_SECONDS = env.float("SYNC_RETRY_SECONDS", default=30.0)
# A window or a queued connection that a worker has held for so long is given to another: the worker was killed.
SYNC_CLAIM_MINUTES = env.float("SYNC_CLAIM_MINUTES", default=10.0)
# So many requests of one run are on their way at once: a worker waits for the vendor's network most of its time, else.
SYNC_REQUESTS_AT_ONCE = env.int("SYNC_REQUESTS_AT_ONCE", default=4)
VENDOR_TIMEOUT_SECONDS = env.int("VENDOR_TIMEOUT_SECONDS", default=30)
# Limits that all workers share, below the vendor's own (120,000 and 300 a minute).
VENDOR_REQUESTS_PER_MINUTE = env.int("VENDOR_REQUESTS_PER_MINUTE", default=100_000)
VENDOR_REQUESTS_PER_MINUTE_EACH = env.int("VENDOR_REQUESTS_PER_MINUTE_EACH", default=280)
# What the vendor must send with its notices; empty: notices are refused.
WEBHOOK_SECRET = secret("WEBHOOK_SECRET")

# --- Providers ---
# By provider: what ingestion.live_providers hands to its package. A provider without credentials is not set up.
LIVE_PROVIDERS: dict[str, dict[str, Any]] = (
    {
        "google_health": {
            "client_id": CLIENT_ID or "sim-client",
            "client_secret": CLIENT_SECRET or "sim-secret",
            "webhook_secret": WEBHOOK_SECRET,
            "timeout": float(VENDOR_TIMEOUT_SECONDS),
            "simulator_url": GOOGLE_SIMULATOR_URL,
            "use_fields": GOOGLE_USE_FIELDS,
            "data_source_family": GOOGLE_DATA_SOURCE_FAMILY,
        }
    }
    if CLIENT_ID or GOOGLE_SIMULATOR_URL
    else {}
)

# --- Kept outside the database: erasures, the head of the audit trail, buckets ---
# Tells a restored backup whom it must forget again: keep it apart from the backups.
ERASURE_JOURNAL = env.str("ERASURE_JOURNAL", default="") or str(BASE_DIR / "var" / "erasures.jsonl")
# The audit trail's head, kept outside the database too: who rolls that back does not reach it.
AUDIT_HEAD = env.str("AUDIT_HEAD", default="") or str(BASE_DIR / "var" / "audit_head.json")
# Buckets that speak S3, where one is named above. Without a key, boto3 looks for credentials as it does everywhere.
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")
S3_REGION = env.str("S3_REGION", default="")
S3_ACCESS_KEY_ID = secret("S3_ACCESS_KEY_ID")
S3_SECRET_ACCESS_KEY = secret("S3_SECRET_ACCESS_KEY")
S3_ENCRYPTION = env.str("S3_ENCRYPTION", default="")
for name, bucket in (
    ("EXPORT_STORE", EXPORT_STORE),
    ("ERASURE_JOURNAL", ERASURE_JOURNAL),
    ("AUDIT_HEAD", AUDIT_HEAD),
):
    if "://" in bucket and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/.+)?", bucket):
        raise ImproperlyConfigured(f"{name} must be s3://bucket or s3://bucket/prefix, not {bucket!r}.")
if EXPORT_STORE and "://" not in EXPORT_STORE:
    raise ImproperlyConfigured("EXPORT_STORE must be s3://bucket/prefix. A folder is named by EXPORT_FOLDER.")

# --- Synthetic devices ---
# True: participants of demo trials may be given synthetic devices.
SYNTHETIC = boolean("SYNTHETIC", default=False)
# Set only to tell its owner that it is ignored: see config/checks.py.
LEGACY_ACCESS_TOKEN_SET = bool(env.str("ACCESS_TOKEN", default=""))

# --- E-mail ---
# E-mail: without EMAIL_HOST nothing is sent, and the pages say so.
EMAIL_HOST = env.str("EMAIL_HOST", default="")
EMAIL_USE_TLS = boolean("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = boolean("EMAIL_USE_SSL", default=False)
if EMAIL_USE_TLS and EMAIL_USE_SSL:
    raise ImproperlyConfigured("EMAIL_USE_TLS (STARTTLS) and EMAIL_USE_SSL (TLS from the first byte): set one of them.")
EMAIL_PORT = env.int("EMAIL_PORT", default=465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = secret("EMAIL_HOST_PASSWORD")
EMAIL_BACKEND = "config.observability.mail.Counting"
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=20)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Wearable Trials <trials@localhost>")
# Where the demo's mail server keeps what it takes, for the page that shows it. Empty: there is no such page.
DEMO_MAIL_FOLDER = env.str("DEMO_MAIL_FOLDER", default="")

# --- Content security policy ---
# False: charts use the copies in static/vendor at once and no browser asks the CDN.
CHARTS_FROM_CDN = boolean("CHARTS_FROM_CDN", default=True)
CONTENT_SECURITY_POLICY = content_policy(
    charts_from_cdn=CHARTS_FROM_CDN, report_to=env.str("CSP_REPORT_URI", default="")
)

# --- Metrics and traces ---
# docs/observability.md says what they tell.
# With this token Prometheus reads /metrics and /metrics/state; empty: there are no such addresses.
METRICS_TOKEN = secret("METRICS_TOKEN")
# Where Celery's workers and beat hand their metrics out, without a token; port 0: nowhere.
WORKER_METRICS_HOST = env.str("WORKER_METRICS_HOST", default="") or "127.0.0.1"
WORKER_METRICS_PORT = env.int("WORKER_METRICS_PORT", default=0)
if not 0 <= WORKER_METRICS_PORT <= 65_535:
    raise ImproperlyConfigured("WORKER_METRICS_PORT must be a port, or 0 for none.")
# Seconds. Few: each is a series for each view, method and host.
PROMETHEUS_LATENCY_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))
# The collector of traces, by OTLP over HTTP; empty: nothing is traced. And the share of requests and tasks that is.
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
OTEL_SAMPLE_RATIO = env.float("OTEL_SAMPLE_RATIO", default=0.1)
if not 0 <= OTEL_SAMPLE_RATIO <= 1:
    raise ImproperlyConfigured("OTEL_SAMPLE_RATIO must lie between 0 and 1.")
multiprocess.ensure(env.str("PROMETHEUS_MULTIPROC_DIR", default=""))

# --- Logs ---
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured(f"LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {LOG_LEVEL!r}.")
LOG_FORMAT = env.str("LOG_FORMAT", default="") or "line"
if LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT must be line or json, not {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": "config.observability.logs.Formatter", "shape": LOG_FORMAT}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # A line for every request to a vendor would be 50,000 a day; the engine logs what matters of them.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Django gives it a handler of its own.
        "django.server": {"handlers": ["stderr"], "propagate": False},
    },
}
