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
# Made here so that volumes and tmpfs over them begin as private folders.
RUN install -d -m 0700 /srv/longhand/blobs /var/lib/longhand /var/cache/longhand
ENV NODE_ENV=production XDG_CACHE_HOME=/var/cache LONGHAND_RUNSC=/usr/local/bin/runsc LONGHAND_HOME=/var/lib/longhand
EXPOSE 8787
ENTRYPOINT ["node", "/opt/longhand/bin/longhand.mjs"]
