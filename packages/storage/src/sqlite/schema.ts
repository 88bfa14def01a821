import type { Db } from './db.ts'

/**
 * One entry per version; a file of version n gets the entries from n on. Entries that were released never change.
 * The partial indexes hold only what is not final, so that the sweeper's questions stay cheap beside millions of
 * finished rows. In chunks the small columns stand first: sums need not read the members, which overflow to own pages.
 */
const MIGRATIONS: readonly string[] = [
  `
create table counters (name text primary key, value integer not null) strict, without rowid;
create table leases (name text primary key, holder text not null, until integer not null) strict, without rowid;
create table revoked (jti text primary key, expires_at integer not null, at integer not null) strict, without rowid;
create index revoked_at on revoked (at);

create table apps (
  id integer primary key, org text not null, name text not null, client_id text not null, secret_hash text not null,
  settings text not null, created_at integer not null, unique (org, name)) strict;
create table channels (
  id integer primary key, app integer not null, platform text not null, name text not null, limits text not null,
  settings text not null, paused_for text, sealed text not null, created_at integer not null,
  updated_at integer not null, unique (app, name)) strict;

create table devices (
  id integer primary key, app integer not null, user text not null, device text not null, channel integer not null,
  token text not null, live integer not null, updated_at integer not null) strict;
create unique index devices_key on devices (app, user, device, channel);
create unique index devices_token on devices (channel, token) where live = 1;
create index devices_page on devices (channel, id) where live = 1;
create index devices_dead on devices (channel) where live = 0;
create table users (app integer not null, user text not null, primary key (app, user)) strict, without rowid;

create table labels (
  id integer primary key, app integer not null, name text not null, description text not null,
  size integer not null default 0, created_at integer not null, unique (app, name)) strict;
create table label_members (
  label integer not null, user text not null, created_at integer not null,
  primary key (label, user)) strict, without rowid;

create table tasks (
  id integer primary key, app integer not null, lane integer not null, state integer not null,
  planned integer not null, created_at integer not null, starts_at integer, expires_at integer not null,
  started_at integer, finished_at integer, rate real, canary text, body text not null) strict;
create index tasks_page on tasks (app, created_at, id) where lane = 2;
create index tasks_bulk on tasks (state, app) where lane = 2 and state < 4;
create index tasks_due on tasks (starts_at) where state = 0;
create index tasks_open on tasks (expires_at) where state < 4;
create table plans (task integer primary key, body text not null) strict;
create table idempotency (
  app integer not null, key text not null, fingerprint text not null, task integer not null, status integer,
  body text, created_at integer not null, primary key (app, key)) strict, without rowid;
create index idempotency_age on idempotency (created_at);

create table chunks (
  task integer not null, seq integer not null, app integer not null, channel integer, lane integer not null,
  state integer not null, gen integer not null, fence integer not null, starts integer not null,
  started integer not null, was_started integer not null, tries integer not null, size integer not null,
  lease_until integer, next_at integer, due_at integer, counts text not null, outcomes text not null,
  reasons text, members text not null, primary key (task, seq)) strict;
create index chunks_open on chunks (task) where lane = 2 and state < 4;
create index chunks_due on chunks (due_at) where state between 1 and 3;
create index chunks_waiting on chunks (channel, task, seq) where state = 0;
create index chunks_window on chunks (channel) where lane = 2 and state between 1 and 3;
`,
  `
alter table apps add column disabled integer not null default 0;
alter table apps add column tokens_from integer not null default 0;
`,
  `
alter table revoked add column app integer;
create index revoked_app on revoked (app);
`,
  `
alter table channels add column account_id text;
alter table channels add column proof text;
alter table channels add column account text;
create index channels_account on channels (platform, account_id) where account_id is not null;
create table account_joins (part text primary key, joined text not null) strict, without rowid;
`,
  // Waiting chunks by lane: single pushes wait too where their channel is paused. What is not final can be counted by app
  // from the index alone.
  `
drop index chunks_waiting;
create index chunks_waiting on chunks (channel, lane, task, seq) where state = 0;
drop index chunks_due;
create index chunks_due on chunks (due_at, state, app, lane) where state between 1 and 3;
`,
  // The ranges of a plan in rows of their own.
  `
create table plan_ranges (
  task integer not null, place integer not null, body text not null, primary key (task, place)) strict, without rowid;
insert into plan_ranges (task, place, body) select p.task, j.key, j.value from plans p, json_each(p.body, '$.ranges') j;
update plans set body = json_remove(body, '$.ranges');
`,
]

/** Makes or upgrades the tables. Several processes may do it at once: one does, under the write lock. */
export async function migrate(db: Db): Promise<void> {
  await db.write(() => {
    const version = Number(db.all('pragma user_version')[0]?.[0])
    if (version > MIGRATIONS.length) {
      throw new Error(`the store has schema version ${version}, this program knows ${MIGRATIONS.length}: upgrade it`)
    }
    if (version === MIGRATIONS.length) return
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration)
    db.exec(`pragma user_version = ${MIGRATIONS.length}`)
  })
}
