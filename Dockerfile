# The image: Node and one bundled file, nothing else of ours. It runs with a read-only root, no shell and no privileges.
# Both bases carry the fix of CVE-2026-58044; the program stops with a clear line on a Node that does not.
ARG BASE=node:24.21.0-trixie-slim
ARG BUILD=node:24.21.0-trixie-slim

FROM ${BUILD} AS build
WORKDIR /build
# The dependencies first: they change less often than the source, so this layer is kept.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig*.json ./
COPY scripts/build.ts scripts/
COPY src src
RUN npm run build -- --bundle

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sidegate" \
      org.opencontainers.image.description="A gate in front of one app: verifies tokens, refuses revoked ones, hands out the next one in time" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /build/dist-bundle /sidegate
COPY LICENSE /sidegate/
ENV NODE_ENV=production
# By number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080 9090
# Without a shell in between, so that SIGTERM reaches the gate.
ENTRYPOINT ["node", "/sidegate/sidegate.mjs"]
CMD ["run", "--config", "/etc/sidegate/sidegate.yaml"]
