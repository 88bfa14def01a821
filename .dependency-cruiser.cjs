/** The rooms of a package from the lowest floor up: none reads a higher one. */
const floors = (root, rooms) =>
  rooms.slice(0, -1).map((room, floor) => ({
    name: `${room}-reads-downwards`,
    severity: 'error',
    from: { path: `^${root}/${room}/` },
    to: { path: `^${root}/(?:${rooms.slice(floor + 1).join('|')})/` },
  }))

/** Reading goes downwards only: apps → queue, storage, platforms → core, redis (docs/design.md §4). */
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-is-pure',
      severity: 'error',
      from: { path: '^packages/core/src' },
      to: { path: '^(packages/(?!core/)|apps/|node_modules/)' },
    },
    ...floors('packages/core/src', ['nouns', 'ports', 'ledger', 'tasks', 'vendor', '(?:plan|deliver|push-now|sweep)']),
    { name: 'packages-not-apps', severity: 'error', from: { path: '^packages/[^/]+/src' }, to: { path: '^apps' } },
    {
      name: 'apps-not-each-other',
      severity: 'error',
      from: { path: '^apps/(?!standalone/)([^/]+)/src' },
      to: { path: '^apps/(?!$1/)' },
    },
    {
      name: 'siblings-via-core-only',
      severity: 'error',
      from: { path: '^packages/(platforms|storage|queue)/src' },
      to: { path: '^packages/(?!core/|redis/|$1/)' },
    },
    {
      name: 'redis-on-its-own',
      severity: 'error',
      from: { path: '^packages/redis/src' },
      to: { path: '^packages/(?!redis/)' },
    },
    {
      name: 'ioredis-only-in-redis',
      severity: 'error',
      from: { pathNot: '^packages/redis/' },
      to: { path: '^node_modules/ioredis/' },
    },
    {
      name: 'bullmq-only-in-queue',
      severity: 'error',
      from: { pathNot: '^(packages/queue/|bench/)' },
      to: { path: '^node_modules/bullmq' },
    },
    {
      name: 'databases-only-in-storage',
      severity: 'error',
      from: { pathNot: '^packages/storage/' },
      to: { path: '^node_modules/(mongoose|kysely|libsql)/' },
    },
    // What the API does can be called by every door: it knows neither HTTP nor the words of the wire, not even as types.
    {
      name: 'operations-without-http',
      severity: 'error',
      from: { path: '^apps/api/src/(operations|limits)/' },
      to: { path: '^(apps/api/src/(http|routes|wire)/|node_modules/(@types/)?express/|(node:)?(http|https|http2)$)' },
    },
    {
      name: 'wire-below-http',
      severity: 'error',
      from: { path: '^apps/api/src/wire/' },
      to: { path: '^apps/api/src/(http|routes)/' },
    },
    {
      name: 'no-deep-import',
      severity: 'error',
      from: { path: '^(?:packages|apps)/([^/]+)/' },
      to: { path: '^(?:packages|apps)/(?!$1/)[^/]+/src/(?!(?:index|contracts|settings)[.]ts)' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-undeclared',
      severity: 'error',
      from: { pathNot: '/test/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@fanfare/source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
}
