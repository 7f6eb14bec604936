# One image for `longhand setup`, `api`, `brain` and `hands`. What a sandbox sees as its programs is this image's /usr, so
# it is made from one with Python, git and compilers; add what your agents need, or set LONGHAND_ROOTFS.

FROM golang:1.26.8-bookworm AS runsc
WORKDIR /build
COPY tools/go/runsc/go.mod tools/go/runsc/go.sum ./
# The version is pinned by checksum in go.sum.
RUN CGO_ENABLED=0 go build -o /runsc gvisor.dev/gvisor/runsc

FROM node:24.21.0-bookworm
WORKDIR /opt/longhand
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY . .
COPY --from=runsc /runsc /usr/local/bin/runsc
# The brain's workflows, bundled: under another uid and on a read-only root the bundler would find no place for its own cache.
RUN XDG_CACHE_HOME=/var/cache node --input-type=module \
    -e "const { workflowBundle } = await import('/opt/longhand/workers/workflow-bundle.ts'); await workflowBundle()" \
  && chmod -R a+rX /var/cache/longhand && rm -rf /var/cache/swc-native-*
# Volumes over these begin with their modes. Sandboxes run under ids of their own and pass through /var/lib/longhand.
RUN install -d -m 0700 /srv/longhand/blobs /srv/longhand/home && install -d -m 0711 /var/lib/longhand
ENV NODE_ENV=production XDG_CACHE_HOME=/var/cache LONGHAND_HOME=/srv/longhand/home
EXPOSE 8787
ENTRYPOINT ["node", "/opt/longhand/bin/longhand.mjs"]
