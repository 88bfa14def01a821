import type { Label, LabelMember } from '../../nouns/label.ts'

export interface LabelStore {
  /** 'exists' where the name is taken in the app, 'full' where the app has `maxLabels`. */
  insert(label: Omit<Label, 'count' | 'createdAt'>, maxLabels: number): Promise<Label | 'exists' | 'full'>
  byNames(appId: string, names: readonly string[]): Promise<(Label | undefined)[]>
  /** Newest first. */
  page(appId: string, limit: number, cursor?: string): Promise<{ labels: Label[]; cursor?: string }>
  remove(appId: string, name: string): Promise<boolean>
  addUsers(labelId: string, userIds: readonly string[]): Promise<void>
  /** Answers for each user whether it was a member. */
  removeUsers(labelId: string, userIds: readonly string[]): Promise<boolean[]>
  member(labelId: string, userId: string): Promise<LabelMember | undefined>
  members(labelId: string, limit: number, cursor?: string): Promise<{ members: LabelMember[]; cursor?: string }>
}
