/**
 * The newest versions of calls whose messages have more than the first. A node tells them to whoever opens a stream,
 * also of calls that it serves only later: a stream is opened once, often while its node still starts.
 */
import { commitCall } from './commit.ts'
import { feedCall } from './feed.ts'

export type CallVersion = { readonly id: number; readonly versionMax: number }

export const CALL_VERSIONS: readonly CallVersion[] =
  [commitCall, feedCall].map(({ id, request }) => ({ id, versionMax: request.versionMax }))
