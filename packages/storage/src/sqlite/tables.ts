import type { Generated } from 'kysely'

/** The tables as Kysely sees them; `schema.ts` makes them. Ids are integers, instants are ms since 1970. */
export type Tables = {
  apps: {
    id: number
    org: string
    name: string
    client_id: string
    secret_hash: string
    settings: string
    disabled: Generated<number>
    tokens_from: Generated<number>
    created_at: number
  }
  channels: {
    id: number
    app: number
    platform: string
    name: string
    limits: string
    settings: string
    paused_for: string | null
    sealed: string
    created_at: number
    updated_at: number
    account_id: string | null
    proof: string | null
    account: string | null
  }
  account_joins: { part: string; joined: string }
  devices: {
    id: number
    app: number
    user: string
    device: string
    channel: number
    token: string
    live: number
    updated_at: number
  }
  users: { app: number; user: string }
  labels: { id: number; app: number; name: string; description: string; size: Generated<number>; created_at: number }
  label_members: { label: number; user: string; created_at: number }
  idempotency: {
    app: number
    key: string
    fingerprint: string
    task: number
    status: number | null
    body: string | null
    created_at: number
  }
  leases: { name: string; holder: string; until: number }
  counters: { name: string; value: number }
  revoked: { jti: string; expires_at: number; at: number; app: number | null }
}
