# The server and its models: docker build -t nextchar . (docs/deploy.md)
# --build-arg BASE=… selects another registry's copy of the base, or one by its digest.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

# The compiled cells (kernels/README.md), where they can be built: --build-arg KERNELS=require fails where they cannot.
FROM ${BASE} AS kernels
ARG KERNELS=auto
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/kernels.txt requirements/
COPY kernels kernels
RUN kernels/image-wheel "${KERNELS}" /wheels

# /app is an environment without pip. The pip of /pip installs the hashed pins into it.
FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python3 -m venv /pip && python3 -m venv --without-pip /app
COPY requirements/build.txt requirements/image.txt requirements/
RUN /pip/bin/python -m pip install --require-hashes -r requirements/build.txt \
 && /pip/bin/python -m pip --python /app/bin/python install --no-compile --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY server server
COPY training training
COPY --from=kernels /wheels /wheels
RUN /pip/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /pip/bin/python -m pip --python /app/bin/python install --no-compile --no-deps /wheels/*.whl
# Removes the files that serving never opens. Compiles the rest now, since the root is read-only later; by hash, not by
# time, so that two builds give the same bytes.
COPY requirements/strip.py requirements/
RUN /app/bin/python requirements/strip.py /app \
 && /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/lib

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="nextchar" \
      org.opencontainers.image.description="Scores and completes text with character-level recurrent language models." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /app /app
COPY models /models
ENV PATH=/app/bin:$PATH NEXTCHAR_HOST=:: NEXTCHAR_MODELS=/models
# A numeric user, so that Kubernetes can verify that it is not root. Root owns every file: the server changes none.
USER 10001:10001
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["nextchar", "healthcheck"]
ENTRYPOINT ["nextchar"]
CMD ["serve"]
