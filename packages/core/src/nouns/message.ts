export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }

export type JsonObject = { [key: string]: JsonValue }

/** What to say: basic fields, and an object per platform that wins there (docs/wire-api.md §2). */
export type Message = {
  title: string
  content: string
  subTitle?: string
  ext?: JsonObject
  config?: JsonObject
  apns?: JsonObject
  fcm?: JsonObject
  fcmV1?: JsonObject
  xiaomi?: JsonObject
  huawei?: JsonObject
  harmonyOS?: JsonObject
  email?: JsonObject
  wecom?: JsonObject
  online?: JsonObject
}
