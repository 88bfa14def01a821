import type { Route } from '../http/route.ts'
import { getAdminAccounts, patchAdminAccounts } from './admin-accounts.ts'
import {
  deleteAdminAppTokens,
  postAdminAppDisable,
  postAdminAppEnable,
  postAdminAppSecret,
} from './admin-app-access.ts'
import { getAdminApp, patchAdminApp, postAdminApps } from './admin-apps.ts'
import { getHealthLive, getHealthReady } from './health.ts'
import {
  deleteNotifier,
  getNotifier,
  getNotifiers,
  patchNotifier,
  postNotifierResume,
  postNotifiers,
} from './notifiers.ts'
import { pushAsyncTarget } from './push-async-target.ts'
import { getLabel, getLabels, postLabel, removeLabel } from './push-label.ts'
import { deleteLabelUsers, getLabelUser, getLabelUsers, postLabelUsers } from './push-label-user.ts'
import { pushList } from './push-list.ts'
import { pushListLabel } from './push-list-label.ts'
import { pushSingle } from './push-single.ts'
import { pushSyncTarget } from './push-sync-target.ts'
import { pushTask } from './push-task.ts'
import { getTask, getTaskResults, patchTask, postTaskCancel, postTaskPause, postTaskResume } from './push-task-id.ts'
import { getTasks } from './push-tasks.ts'
import { getRoot } from './root.ts'
import { deleteToken, postToken } from './token.ts'
import { getBinding, putBinding } from './users-push-binding.ts'

/** Every route of the API. Express tries them in this order: the hot ones come first. */
export const ROUTES: readonly Route[] = [
  pushSingle,
  pushAsyncTarget,
  pushSyncTarget,
  postToken,
  deleteToken,
  pushListLabel,
  pushList,
  pushTask,
  getTasks,
  getTask,
  patchTask,
  getTaskResults,
  postTaskPause,
  postTaskResume,
  postTaskCancel,
  postLabel,
  getLabels,
  getLabel,
  removeLabel,
  postLabelUsers,
  getLabelUsers,
  deleteLabelUsers,
  getLabelUser,
  putBinding,
  getBinding,
  getNotifiers,
  postNotifiers,
  getNotifier,
  patchNotifier,
  deleteNotifier,
  postNotifierResume,
  postAdminApps,
  getAdminApp,
  patchAdminApp,
  postAdminAppSecret,
  deleteAdminAppTokens,
  postAdminAppDisable,
  postAdminAppEnable,
  getAdminAccounts,
  patchAdminAccounts,
  getHealthLive,
  getHealthReady,
  getRoot,
]
