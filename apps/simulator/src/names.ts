/** The vendors, by the platform names of Fanfare. */
export const VENDORS = ['fcm', 'xiaomi', 'apns', 'huawei', 'wecom', 'email'] as const
export type VendorName = (typeof VENDORS)[number]

export function isVendor(name: unknown): name is VendorName {
  return (VENDORS as readonly unknown[]).includes(name)
}
