# One image, many commands: docker-compose.yml and render.yaml say which process it is.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements/run.txt /tmp/run.txt
# wheels with known hashes only: nothing is compiled, and no package's build code runs here
RUN /opt/venv/bin/pip install --only-binary :all: --require-hashes -r /tmp/run.txt

FROM python:3.13-slim
LABEL org.opencontainers.image.title="wheels-and-wins" \
      org.opencontainers.image.licenses="MIT"
# clients of the language model and the voice trust what the system trusts
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin wheels \
    && install -d -o wheels -g wheels -m 0700 /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
# compiled once here, since the running container may not write
RUN /opt/venv/bin/python -m compileall -q .
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data
USER 10001
STOPSIGNAL SIGTERM
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "api.app:app", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "8", "--no-server-header"]
