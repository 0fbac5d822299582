# The commands of Wearable Trials. Each makes or refreshes the environment it needs: nothing to prepare but Python.
# PYTHON=/path/to/python3.12 chooses the interpreter for a new environment, PORT=8001 the web port.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo run backup restore test mutate properties test-wearipedia fuzz fuzz-api audit secrets monitoring-check dashboards lint format messages openapi screenshots lock validation bench-ingest bench-smoke bench-read bench-sync bench-storm bench-pages bench-beat bench-series bench-exports bench-processes bench-store bench-backup bench-load bench-chaos fresh-root

# The first Python that runs at all: the set-up script looks for a fitting one itself and says so if there is none.
SET_UP = @for python in "$$PYTHON" python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if [ -n "$$python" ] && "$$python" -c 'import fcntl, pathlib' 2>/dev/null; then exec "$$python" deploy/bootstrap.py
OR_SAY = ; fi; done; \
	echo "Python is missing. Install Python 3.11 to 3.14, or name it: make demo PYTHON=/path/to/python3.12" >&2; exit 1

help: ## this list
	@echo "Wearable Trials. Commands:"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1~\2/p' Makefile | awk -F'~' '{ printf "%-24s %s\n", $$1, $$2 }'

demo: ## set everything up and serve a demo trial at http://127.0.0.1:8000 (PORT=8001 for another port)
	$(SET_UP) --serve -- -m config.embedded demo $(OR_SAY)

run: ## the same without the demo trial: for a pilot of your own
	$(SET_UP) --serve -- -m config.embedded run $(OR_SAY)

backup: ## back the embedded database up, while it runs (ARGS=run: from now on to the second; docs/backup.md)
	$(SET_UP) -- -m config.embedded backup $(ARGS) $(OR_SAY)

restore: ## bring the embedded database back, while it is stopped (ARGS="--to '2026-11-25 03:15:00'"; UTC)
	$(SET_UP) -- -m config.embedded restore $(ARGS) $(OR_SAY)

test: ## set up and run the tests (ARGS="tests/metrics -k rollup"; WORKERS=1 for one process; DATABASE_URL=... for a server of your own)
	$(SET_UP) --lock dev -- -m config.embedded test $(ARGS) $(OR_SAY)

fuzz: ## ten thousand malformed imports, callbacks, notices, forms and API requests (FUZZ_EXAMPLES=1000 for fewer)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-10000} $(MAKE) test ARGS="-q tests/security/fuzz $(ARGS)"

audit: ## ask for known faults of every locked package (needs the network; says loudly where there is none)
	$(SET_UP) --lock dev -- deploy/audit.py $(OR_SAY)

properties: ## 500 whole lives of a participant in any order (PROPERTY_EXAMPLES=50 for fewer; PROPERTY_FAULT=name puts a fault back)
	PROPERTY_EXAMPLES=$${PROPERTY_EXAMPLES:-500} $(MAKE) test ARGS="-q -s tests/properties $(ARGS)"

mutate: ## change the modules that hold rules, one place at a time; a test must notice (ARGS=metrics/monitoring/rules.py for one)
	$(SET_UP) --lock dev -- -m config.embedded bench deploy.mutation $(ARGS) $(OR_SAY)

test-wearipedia: ## the tests of the synthetic devices, in an environment of their own
	$(SET_UP) --lock wearipedia -- -m config.embedded test tests/ingestion/providers/wearipedia $(ARGS) $(OR_SAY)

fresh-root: ## try demo and tests in a fresh Debian with Python and make alone (root, debootstrap; SUITE=trixie)
	@deploy/fresh_root.sh $(SUITE)

fuzz-api: ## many invented requests to the whole API (FUZZ=1000 for each operation)
	$(SET_UP) --lock dev -- -m config.embedded test tests/api/test_schemathesis.py $(ARGS) $(OR_SAY)

secrets: ## make the keys and passwords that docker-compose.yml asks for and that are missing, in secrets/
	@python3 deploy/make_secrets.py

monitoring-check: ## check alert rules, their tests, routing and silencing with Prometheus' and Alertmanager's own tools
	$(SET_UP) --lock dev -- -m deploy.monitoring.check $(OR_SAY)

dashboards: ## write Grafana's dashboards from deploy/monitoring/dashboards.py
	$(SET_UP) --lock dev -- -m deploy.monitoring.dashboards $(OR_SAY)

lint: ## ruff, mypy, module sizes and import circles, djLint, Django's deployment checks, missing migrations and what new ones would lock
	$(SET_UP) --lock dev -- deploy/lint.py $(OR_SAY)

messages: ## bring the catalogues in locale/ up to date with the marked texts, compile them, and say what is missing (ARGS="--team fr": begin the team's pages in French)
	$(SET_UP) --lock dev -- -m deploy.messages $(ARGS) $(OR_SAY)

openapi: ## write docs/openapi.yaml from the code
	$(SET_UP) --lock dev -- -m deploy.openapi $(OR_SAY)

format: ## bring the code into ruff's form
	$(SET_UP) --lock dev -- -m ruff format $(OR_SAY)

screenshots: ## pictures of the main pages of a demo that runs, into docs/screenshots (PORT as for the demo)
	$(SET_UP) --lock dev -- -m deploy.screenshots $(OR_SAY)

validation: ## run the tests that the validation pack names and write docs/validation.md (ARGS=report.xml: of a whole run)
	$(SET_UP) --lock dev -- -m config.embedded bench deploy.validation $(ARGS) $(OR_SAY)

lock: ## make the lock files anew (LOCK_ARGS=--upgrade takes newer versions)
	$(SET_UP) --lock dev -- deploy/lock.py $(LOCK_ARGS) $(OR_SAY)

bench-ingest: ## measure writing beside COPY (DATABASE_URL=... for a server of your own; ARGS="--writer COMMAND")
	$(SET_UP) -- -m config.embedded bench benchmarks.ingest $(ARGS) $(OR_SAY)

bench-smoke: ## start each benchmark in its smallest size, to see that it still runs (ARGS="ingest read" for some)
	$(SET_UP) -- -m config.embedded bench benchmarks.smoke $(ARGS) $(OR_SAY)

bench-read: ## measure reading, through HTTP
	$(SET_UP) -- -m config.embedded bench benchmarks.read $(ARGS) $(OR_SAY)

bench-series: ## measure series over the API, and the memory of a stream of raw samples
	$(SET_UP) -- -m config.embedded bench benchmarks.series $(ARGS) $(OR_SAY)

bench-sync: ## measure a day of everybody through the live sync, against the simulator
	$(SET_UP) -- -m config.embedded bench benchmarks.sync $(ARGS) $(OR_SAY)

bench-storm: ## faults, revoked grants and killed workers; then compare the store with the ground truth
	$(SET_UP) -- -m config.embedded bench benchmarks.storm $(ARGS) $(OR_SAY)

bench-chaos: ## PostgreSQL, Redis, disk, workers, web and vendor fail in turn; nothing is lost, and all is seen (ARGS=--quick)
	$(SET_UP) -- -m benchmarks.chaos $(ARGS) $(OR_SAY)

bench-pages: ## measure what every page costs: Python, PostgreSQL, queries, kB (ARGS="--against FOLDER": beside another checkout)
	$(SET_UP) -- -m config.embedded bench benchmarks.pages $(ARGS) $(OR_SAY)

bench-beat: ## measure a minute's tasks and an hour's evaluation when nothing is new (ARGS="--against FOLDER")
	$(SET_UP) -- -m config.embedded bench benchmarks.beat $(ARGS) $(OR_SAY)

bench-backup: ## time and size of a base backup and a restore, beside pg_dump and pg_restore
	$(SET_UP) -- -m config.embedded bench benchmarks.backup $(ARGS) $(OR_SAY)

bench-store: ## weigh rows before and after compression; late data and an erasure in compressed chunks
	$(SET_UP) -- -m config.embedded bench benchmarks.store $(ARGS) $(OR_SAY)

bench-processes: ## measure the memory and the connections of each kind of process
	$(SET_UP) -- -m config.embedded bench benchmarks.processes $(ARGS) $(OR_SAY)

bench-exports: ## measure exports against COPY (ARGS="--rows 100_000_000" for the large one)
	$(SET_UP) -- -m config.embedded bench benchmarks.exports $(ARGS) $(OR_SAY)

bench-load: ## measure the pages under 200 managers at once while a day of 1,000 participants comes in (some 14 minutes)
	$(SET_UP) -- -m config.embedded bench benchmarks.load $(ARGS) $(OR_SAY)
