# One image for the web processes, the workers, the scheduler and the migrations: they differ by command alone.
#
#   docker build --tag wearable-trials:local .
#
# Three stages: the packages, the code with its static files, and the image, which holds no compiler, no pip cache and
# nothing that writes to its own folders. The Python is the one on which the tests run.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS packages
COPY requirements/build.lock requirements/server.lock /tmp/
# Every file is checked by its hash. One package exists as source only; what builds it is locked as well, and goes again.
RUN python -m venv --without-pip /opt/venv \
    && pip="pip --python /opt/venv/bin/python --disable-pip-version-check --no-cache-dir" \
    && $pip install --require-hashes --only-binary=:all: --requirement /tmp/build.lock \
    && $pip install --require-hashes --only-binary=:all: --no-binary=django-timescaledb --no-build-isolation --no-deps \
       --requirement /tmp/server.lock \
    && $pip uninstall --yes setuptools \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -r pyarrow/include pyarrow/tests pyarrow/*flight* numpy/*/tests

FROM packages AS code
WORKDIR /app
COPY . .
# The settings ask for a key and a database; collecting files uses neither.
RUN SECRET_KEY=for-the-build-only DATABASE_URL=postgresql://nobody@127.0.0.1:1/none \
    /opt/venv/bin/python -W ignore manage.py collectstatic --no-input \
    && /opt/venv/bin/python -m compileall -q . \
    && rm -r requirements

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Wearable Trials" \
      org.opencontainers.image.description="Runs clinical trials on wearable data" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings
# The folders that volumes cover: a new volume takes over whose they are.
RUN groupadd --gid 10001 wearable \
    && useradd --uid 10001 --gid wearable --home-dir /app --no-create-home --shell /usr/sbin/nologin wearable \
    && install --directory --owner=wearable --group=wearable --mode=0700 /srv/exports /srv/journal \
    && install --directory --owner=wearable --group=wearable --mode=0755 /etc/monitoring
COPY --from=packages /opt/venv /opt/venv
COPY --from=code /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi"]
