# Build it with `docker build -t nscale-cli .`; docs/install.md says how to use it.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN ["python", "-m", "venv", "/opt/nscale"]
RUN ["/opt/nscale/bin/pip", "install", "--quiet", "--no-cache-dir", "."]

FROM python:3.13-slim
COPY --from=build /opt/nscale /opt/nscale
RUN ["useradd", "--create-home", "--uid", "10001", "nscale"]
RUN ["install", "--directory", "--owner=10001", "--group=10001", "/data"]
ENV PATH="/opt/nscale/bin:$PATH"
USER 10001
WORKDIR /data
CMD ["nscale", "--help"]
