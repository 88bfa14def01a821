/** A named set of users of an app. */
export type Label = { id: string; appId: string; name: string; description: string; count: number; createdAt: Date }

export type LabelMember = { userId: string; createdAt: Date }
