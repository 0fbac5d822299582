"""Tests that one kind of database server suffices for, and why: a second run leaves them out (`--second-server`).

What differs between the kinds is how measurements and the minutes and hours made of them are stored
(metrics/storage/timescale.py). Whatever stores, reads, evaluates, exports or corrects measurements runs on each kind;
what stands here is about something else, and writes none of them or, in some pages' tests, a few rows in passing. A
test that is not listed runs on each kind.
"""

from __future__ import annotations

# By the beginning of a test's name: a folder, a module, or one of its tests.
ANY_SERVER = {
    "tests/access/": "who may see and do what: rows of users, trials and participants",
    "tests/test_access_matrix.py": "who may see and do what: rows of users, trials and participants",
    "tests/api/test_docs.py": "the document of the API",
    "tests/api/test_schemathesis.py::test_answers_keep_to_the_contract[a viewer": "as the manager's, which run on each",
    "tests/api/test_schemathesis.py::test_answers_keep_to_the_contract[nobody": "refused before anything is read",
    "tests/api/test_service_accounts.py": "accounts and their tokens",
    "tests/api/test_token_pages.py": "accounts and their tokens",
    "tests/api/test_tokens.py": "accounts and their tokens",
    "tests/backup/test_restoring.py": "on servers of its own",
    "tests/browser/": "what a browser makes of pages: the pages themselves are tested on each",
    "tests/config/embedded/": "on servers of its own",
    "tests/config/errors/": "no database",
    "tests/config/health/": "statements on heartbeats, migrations and e-mails",
    "tests/config/observability/": "logs, traces and counters of processes",
    "tests/config/test_catalogues.py": "no database",
    "tests/config/test_checks.py": "settings",
    "tests/config/test_scheduler.py": "the scheduler's lease",
    "tests/config/test_settings.py": "settings",
    "tests/dashboards/messaging/": "e-mail and its templates",
    "tests/deploy/": "files of the deployment, and programs by themselves",
    "tests/hosts/test_hosts.py": "several processes before one server",
    "tests/hosts/test_migrate.py": "several processes before one server",
    "tests/ingestion/connections/": "invitations, and the way to the vendor and back",
    "tests/ingestion/providers/google_health/": "the vendor's protocol and the simulator: no database",
    "tests/ingestion/providers/test_columns.py": "files, not yet stored",
    "tests/ingestion/providers/test_wallclock.py": "files, not yet stored",
    "tests/participants/accounts/": "accounts, sign-in, second factor",
    "tests/participants/admin/": "pages of the administration",
    "tests/participants/audit/": "the audit trail",
    "tests/security/test_hostile_values.py::test_no_value_breaks_a_choice_of": "pages of the administration",
    "tests/security/test_hostile_values.py::test_no_value_breaks_a_form_of": "pages of the administration",
    "tests/security/test_hostile_values.py::test_no_value_breaks_a_list_of": "pages of the administration",
    "tests/security/test_hostile_values.py::test_no_value_breaks_a_page": "values are bounded before any statement",
    "tests/security/test_hostile_values.py::test_no_value_in_an_address": "values are bounded before any statement",
    "tests/security/test_keys.py": "encrypted columns and settings",
    "tests/security/test_limits.py": "requests that are refused",
    "tests/security/test_policy.py": "headers and templates",
    "tests/security/test_redirects.py": "a vendor's answers",
    "tests/security/test_server.py": "headers of a web server",
    "tests/security/test_walk.py": "headers, cookies and error pages",
    "tests/test_architecture.py": "no database",
    "tests/test_paths.py": "no database",
    "tests/test_sql_text.py": "no database",
    "tests/test_terms.py": "no database",
}


def suffices(nodeid: str) -> bool:
    """Whether one kind of server suffices for the test of this name."""
    return nodeid.startswith(tuple(ANY_SERVER))
