import { generateKeyPairSync } from 'node:crypto'

/** What `POST …/notifiers` takes for a platform; keys are made at run time and open nothing. */
export type NotifierBody = { name: string; provider: string; certificate: string } & Record<string, unknown>
export type FleetPlatform = 'fcm' | 'xiaomi' | 'huawei' | 'apns' | 'wecom' | 'email'

/** A notifier of the platform for the simulator; `name` tells several of an app apart. */
export function notifierBody(platform: FleetPlatform, name: string): NotifierBody {
  return MAKERS[platform](name)
}

const MAKERS: Readonly<Record<FleetPlatform, (name: string) => NotifierBody>> = {
  fcm: (name) => ({ name, provider: 'ANDROID', certificate: serviceAccount(name), packageName: 'org.example.demo' }),
  xiaomi: (name) => ({
    name,
    provider: 'XIAOMIPUSH',
    certificate: `secret-of-${name}`,
    // The simulator tells accounts apart by it.
    packageName: packageOf(name),
    xiaomiPushSettings: { region: 'cn' },
  }),
  huawei: (name) => ({
    name,
    provider: 'HUAWEIPUSH',
    certificate: `secret-of-${name}`,
    packageName: 'org.example.demo',
  }),
  apns: (name) => ({
    name,
    provider: 'APNS',
    environment: 'PRODUCTION',
    certificate: apnsKey(),
    packageName: 'org.example.demo',
    apnsSettings: { keyId: 'ABCDE12345', teamId: 'TEAM123456', bundleId: 'org.example.demo' },
  }),
  wecom: (name) => ({
    name,
    provider: 'WECOM',
    certificate: `secret-of-${name}`,
    wecomSettings: { corpId: `corp-${name}`, agentId: 1000002 },
  }),
  email: (name) => ({
    name,
    provider: 'EMAIL',
    certificate: `secret-of-${name}`,
    emailSettings: { host: 'smtp.example.org', port: 587, user: name, from: 'push@example.org' },
  }),
}

/** The Android package that a Xiaomi notifier of this name sends to. */
export const packageOf = (name: string): string => `org.example.${name.replaceAll('-', '_')}`

/** A service account of the project `name`, as Google's console would hand it out. */
function serviceAccount(name: string): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return JSON.stringify({
    type: 'service_account',
    project_id: name,
    private_key_id: 'test',
    private_key: privateKey,
    client_email: `push@${name}.iam.gserviceaccount.com`,
    client_id: '1',
    token_uri: 'https://oauth2.googleapis.com/token',
  })
}

function apnsKey(): string {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey
}
