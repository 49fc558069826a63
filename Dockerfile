# The image: libraries of the system, Node and one bundled file. It runs with a read-only root, no shell and no privileges.
# Node comes with BUILD, which has the fix of CVE-2026-58044; BASE needs glibc and libstdc++, and nothing else.
ARG BASE=gcr.io/distroless/cc-debian13:nonroot
ARG BUILD=node:24.21.0-trixie-slim

# The bundle is the same for every processor, so it is made on the one at hand.
FROM --platform=${BUILDPLATFORM} ${BUILD} AS build
WORKDIR /build
# The dependencies first: they change less often than the source, so this layer is kept.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig*.json ./
COPY scripts/build.ts scripts/
COPY src src
RUN npm run build -- --bundle

FROM ${BUILD} AS node

FROM ${BASE}
# The largest layer first: it changes with Node alone.
COPY --from=node /usr/local/bin/node /sidegate/node
COPY --from=node /usr/local/LICENSE /sidegate/LICENSE.node
COPY --from=build /build/dist-bundle /sidegate
COPY LICENSE /sidegate/
ENV NODE_ENV=production PATH=/sidegate:/usr/local/bin:/usr/bin:/bin
# By number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
WORKDIR /
EXPOSE 8080 9090
# Without a shell in between, so that SIGTERM reaches the gate. Flags for Node stand here and nowhere else.
ENTRYPOINT ["/sidegate/node", "--max-semi-space-size=8", "/sidegate/sidegate.mjs"]
CMD ["run", "--config", "/etc/sidegate/sidegate.yaml"]
# Last, as they change with every release.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sidegate" \
      org.opencontainers.image.description="A gate in front of one app: verifies tokens, refuses revoked ones, hands out the next one in time" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
