/** What a WeCom message says, or the errcode of what is wrong with it. */
export type Checked = { touser: readonly string[]; agentId: string; message: Json; problem?: number }
export type Json = Readonly<Record<string, unknown>>

/** https://developer.work.weixin.qq.com/document/path/90236 */
const MAX_USERS = 1000
const MAX_PARTIES = 100
const MAX_MARKDOWN_BYTES = 2048
const MAX_URL_BYTES = 2048
const MSG_TYPES = new Set(
  'text image voice video file textcard news mpnews markdown miniprogram_notice template_card'.split(' '),
)
const TOO_MANY_USERS = 40_032
const WRONG_PARAMETER = 40_035
const WRONG_MSG_TYPE = 40_008
const EMPTY_CONTENT = 44_004
const TOO_LONG = 45_002
const NOT_JSON = 47_001
const WRONG_AGENT = 40_056
const NO_RECEIVER = 82_001
const TOO_MANY_PARTIES = 82_002
const TOO_MANY_TAGS = 82_003

export function checkMessage(body: string): Checked {
  const message = parse(body)
  if (!message) return { touser: [], agentId: '', message: {}, problem: NOT_JSON }
  const touser = list(message['touser'])
  const problem = checkReceivers(message, touser) ?? checkAgent(message) ?? checkContent(message)
  return { touser, agentId: String(message['agentid']), message, ...(problem && { problem }) }
}

function checkReceivers(message: Json, touser: readonly string[]): number | undefined {
  const parties = list(message['toparty'])
  const tags = list(message['totag'])
  if (touser.length + parties.length + tags.length === 0) return NO_RECEIVER
  if (touser.length > MAX_USERS) return TOO_MANY_USERS
  if (parties.length > MAX_PARTIES) return TOO_MANY_PARTIES
  return tags.length > MAX_PARTIES ? TOO_MANY_TAGS : undefined
}

function checkAgent({ agentid, safe, enable_duplicate_check: duplicateCheck }: Json): number | undefined {
  if (!Number.isInteger(agentid)) return WRONG_AGENT
  return [safe, duplicateCheck].every((flag) => flag === undefined || flag === 0 || flag === 1 || flag === 2)
    ? undefined
    : WRONG_PARAMETER
}

/** Texts above 2,048 bytes and titles above 128 are cut by the vendor, not refused. */
function checkContent(message: Json): number | undefined {
  const type = message['msgtype']
  if (typeof type !== 'string' || !MSG_TYPES.has(type)) return WRONG_MSG_TYPE
  const part = message[type]
  if (typeof part !== 'object' || part === null) return WRONG_PARAMETER
  if (type === 'textcard') return checkCard(part as Json)
  if (type !== 'text' && type !== 'markdown') return undefined
  const { content } = part as Json
  if (typeof content !== 'string' || content === '') return EMPTY_CONTENT
  return type === 'markdown' && Buffer.byteLength(content) > MAX_MARKDOWN_BYTES ? TOO_LONG : undefined
}

function checkCard({ title, description, url }: Json): number | undefined {
  if (![title, description, url].every((text) => typeof text === 'string' && text !== '')) return EMPTY_CONTENT
  return Buffer.byteLength(url as string) > MAX_URL_BYTES ? TOO_LONG : undefined
}

function list(value: unknown): readonly string[] {
  return typeof value === 'string' && value !== '' ? value.split('|') : []
}

function parse(body: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
  } catch {
    return undefined
  }
}
