# syntax=docker/dockerfile:1.20
# Every image of the services and of the command. Programs are static (musl) and stand in an otherwise empty root
# with certificates and the uid 65532; there is no shell to exec into.
#
#   docker buildx build --target payments-api .
#
# Targets: payments-api, payments-worker (with the Lambda function's program, which the pipeline zips), notifier, payops.
# CI gives BUILDER and BASE as digests; the tags are for builds by hand.
# checkov:skip=CKV_DOCKER_2:Kubernetes asks by its own probes and compose.yaml by `ready`; neither reads a HEALTHCHECK here
# checkov:skip=CKV_DOCKER_7:the first FROM is the argument BUILDER, which has a tag, and in CI a digest
ARG BUILDER=rust:1.95.0-alpine3.22
ARG BASE=gcr.io/distroless/static-debian12:nonroot

# hadolint ignore=DL3006
FROM ${BUILDER} AS toolchain
# hadolint ignore=DL3018  # Alpine keeps only the newest version of a package; BUILDER's digest is what is pinned
RUN apk add --no-cache build-base cmake perl linux-headers
WORKDIR /source
ENV CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
# `release` builds in half the time, for what is tried and thrown away.
ARG PROFILE=dist
# What a release says of itself.
ARG PAYOPS_COMMIT=""
ARG SOURCE_DATE_EPOCH=""
ENV PAYOPS_COMMIT=${PAYOPS_COMMIT} SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}

FROM toolchain AS services
ARG TARGETARCH
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=services-${TARGETARCH},target=/source/target \
    cargo build --locked --profile "${PROFILE}" --package payops-payments --package payops-worker --package payops-notifier --bins && \
    mkdir -p /out/payments-api /out/payments-worker /out/notifier && \
    cp "target/${PROFILE}/payops-payments" "target/${PROFILE}/payops-migrate" /out/payments-api/ && \
    cp "target/${PROFILE}/payops-worker" "target/${PROFILE}/payops-worker-lambda" /out/payments-worker/ && \
    cp "target/${PROFILE}/payops-notifier" /out/notifier/

FROM toolchain AS command
ARG TARGETARCH
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=command-${TARGETARCH},target=/source/target \
    cargo build --locked --profile "${PROFILE}" --package payops --bin payops && \
    mkdir -p /out/payops && cp "target/${PROFILE}/payops" /out/payops/

# hadolint ignore=DL3006
FROM ${BASE} AS payments-api
COPY --from=services /out/payments-api/ /usr/local/bin/
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/payops-payments"]

# hadolint ignore=DL3006
FROM ${BASE} AS payments-worker
COPY --from=services /out/payments-worker/ /usr/local/bin/
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/payops-worker"]

# hadolint ignore=DL3006
FROM ${BASE} AS notifier
COPY --from=services /out/notifier/ /usr/local/bin/
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/payops-notifier"]

# hadolint ignore=DL3006
FROM ${BASE} AS payops
COPY --from=command /out/payops/ /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/payops"]
