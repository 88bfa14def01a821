# One image for every program of Fanfare; docker-compose.yml names which one a container runs.
FROM node:24-bookworm-slim AS build
WORKDIR /fanfare
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.base.json tsconfig.test.json ./
COPY packages packages
COPY apps apps
COPY bench bench
COPY chaos chaos
COPY examples examples
RUN npm ci --no-audit --no-fund
RUN npx tsc -b packages/core packages/storage packages/queue packages/platforms apps/api apps/worker
RUN npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
WORKDIR /fanfare
COPY --from=build /fanfare /fanfare
USER node
ENV HOST=0.0.0.0
EXPOSE 8099
CMD ["node", "--enable-source-maps", "apps/api/dist/main.js"]
