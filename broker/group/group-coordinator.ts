/**
 * Serves the group calls of the shards that this node leads. A call comes as a Kafka request at the newest version we
 * serve; `clientVersion` says what the client spoke, where that changes the outcome.
 */
import { crc32c } from '#shared/binary/crc32c.ts'
import { decodeMessage, encodeMessage, type Message } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { groupCall, type GroupRequest, type GroupResponse } from '#shared/rpc/group.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '#shared/wire/api/delete-groups.ts'
import { describeGroupsRequest, describeGroupsResponse } from '#shared/wire/api/describe-groups.ts'
import { heartbeatRequest, heartbeatResponse } from '#shared/wire/api/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse, type JoinGroupRequest } from '#shared/wire/api/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse } from '#shared/wire/api/leave-group.ts'
import { listGroupsRequest, listGroupsResponse } from '#shared/wire/api/list-groups.ts'
import { offsetCommitRequest, offsetCommitResponse } from '#shared/wire/api/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#shared/wire/api/offset-fetch.ts'
import { syncGroupRequest, syncGroupResponse, type SyncGroupRequest } from '#shared/wire/api/sync-group.ts'
import { KAFKA_ERROR } from '#shared/wire/error-codes.ts'
import type { ShardLeader, ShardLeaders } from '../shard/shard-leader.ts'
import type { JoinCommand } from './group-join.ts'
import { GroupRunner, type GroupRunnerParts } from './group-runner.ts'
import type { SyncCommand } from './group-sync.ts'

export type GroupCoordinatorParts = Omit<GroupRunnerParts, 'topics'> & {
  readonly leaders: ShardLeaders
  readonly transport: Transport
  /** The catalog, to refuse commits for topics that do not exist; left out: every topic id is taken to exist. */
  readonly topics?: GroupRunnerParts['topics']
}

type Call = { readonly request: GroupRequest; readonly signal: AbortSignal }
type Route = (runner: GroupRunner, call: Call) => Promise<Uint8Array>

const NO_BODY = new Uint8Array(0)
const REPEATABLE_CALLS_MAX = 4_096 // newest calls of a node whose answer is kept, for when they are sent again

export class GroupCoordinator {
  readonly #parts: GroupCoordinatorParts
  readonly #runners = new Map<number, GroupRunner>()
  readonly #calls = new Map<ShardLeader, number>() // in progress
  readonly #repeatable = new Map<string, Promise<Uint8Array>>() // by requestId, oldest first

  constructor(parts: GroupCoordinatorParts) {
    this.#parts = parts
    const { runtime, log, metrics, settings, topics = null } = parts
    parts.leaders.onLead((leader) => {
      const runner = new GroupRunner(leader, { runtime, log, metrics, settings, topics })
      this.#runners.set(leader.shard, runner)
      leader.ended.addEventListener('abort', () => {
        if (this.#runners.get(leader.shard) === runner) this.#runners.delete(leader.shard)
      }, { once: true })
    })
    parts.transport.serve(groupCall, (request, context) => this.handle(request, context.signal))
  }

  /**
   * Answers one call; an error code other than NONE means that it did not reach a coordinator, or the
   * outcome is unknown.
   */
  async handle(request: GroupRequest, signal: AbortSignal): Promise<GroupResponse> {
    const leader = this.#parts.leaders.leader(request.shard)
    if (leader === null) return refused(KAFKA_ERROR.NOT_COORDINATOR)
    const runner = this.#runners.get(request.shard)
    if (runner === undefined || runner.leader !== leader) return refused(KAFKA_ERROR.COORDINATOR_LOAD_IN_PROGRESS)
    const route = ROUTES.get(request.apiKey)
    if (route === undefined) return refused(KAFKA_ERROR.INVALID_REQUEST)
    const callCount = this.#calls.get(leader) ?? 0
    if (callCount >= this.#parts.settings.groupCallsMax) return refused(KAFKA_ERROR.COORDINATOR_NOT_AVAILABLE)
    this.#calls.set(leader, callCount + 1)
    try {
      return { errorCode: KAFKA_ERROR.NONE, body: await this.#once(route, runner, { request, signal }) }
    } catch (error) {
      return refused(errorCodeOf(error, leader))
    } finally {
      this.#release(leader)
    }
  }

  #release(leader: ShardLeader): void {
    const callCount = this.#calls.get(leader)! - 1
    if (callCount === 0) this.#calls.delete(leader)
    else this.#calls.set(leader, callCount)
  }

  /** LeaveGroup and DeleteGroups would not find again what they removed: sent again they get their first answer. */
  #once(route: Route, runner: GroupRunner, call: Call): Promise<Uint8Array> {
    const { apiKey, requestId, shard, body } = call.request
    if (requestId === '' || (apiKey !== API.leaveGroup && apiKey !== API.deleteGroups)) return route(runner, call)
    // A client's DeleteGroups becomes one call a group, all with its requestId: the body tells them apart.
    const key = `${shard}/${runner.leader.epoch}/${requestId}/${crc32c(body)}`
    const before = this.#repeatable.get(key)
    if (before !== undefined) return before
    const answer = route(runner, call)
    this.#repeatable.set(key, answer)
    answer.catch(() => { this.#repeatable.delete(key) })
    for (const oldest of this.#repeatable.keys()) {
      if (this.#repeatable.size <= REPEATABLE_CALLS_MAX) break
      this.#repeatable.delete(oldest)
    }
    return answer
  }
}

function refused(errorCode: number): GroupResponse {
  return { errorCode, body: NO_BODY }
}

/** The client asks again in every case: at the next leader if this one has ended. A bug is thrown on. */
function errorCodeOf(error: unknown, leader: ShardLeader): number {
  if (leader.ended.aborted) return KAFKA_ERROR.NOT_COORDINATOR
  if (!(error instanceof ZonewiseError)) throw error
  switch (error.code) {
    case 'FRAME_INVALID': return KAFKA_ERROR.INVALID_REQUEST
    case 'NOT_LEADER': case 'STOPPING': return KAFKA_ERROR.NOT_COORDINATOR
    default: return KAFKA_ERROR.COORDINATOR_NOT_AVAILABLE
  }
}

const API = {
  offsetCommit: 8, offsetFetch: 9, joinGroup: 11, heartbeat: 12, leaveGroup: 13, syncGroup: 14, describeGroups: 15,
  listGroups: 16,
  deleteGroups: 42
} as const

function route<Request, Response>(
  requestMessage: Message<Request>, responseMessage: Message<Response>,
  handle: (runner: GroupRunner, request: Request, call: Call) => Promise<Response>
): Route {
  return async (runner, call) => {
    const reader = new Reader(call.request.body)
    const request = decodeMessage(requestMessage, requestMessage.versionMax, reader)
    reader.expectEnd()
    const response = await handle(runner, request, call)
    const writer = new Writer()
    encodeMessage(responseMessage, responseMessage.versionMax, response, writer)
    return Buffer.concat(writer.finish())
  }
}

const throttleTimeMs = 0

const ROUTES: ReadonlyMap<number, Route> = new Map<number, Route>([
  [API.joinGroup, route(joinGroupRequest, joinGroupResponse, (runner, request, call) =>
    runner.join(request.groupId, joinCommand(request, call.request), call.signal))],
  [API.syncGroup, route(syncGroupRequest, syncGroupResponse, (runner, request, call) =>
    runner.sync(request.groupId, syncCommand(request, call.request), call.signal))],
  [API.heartbeat, route(heartbeatRequest, heartbeatResponse, async (runner, request) =>
    ({ throttleTimeMs, errorCode: await runner.heartbeat(request.groupId, request) }))],
  [API.leaveGroup, route(leaveGroupRequest, leaveGroupResponse, async (runner, { groupId, members }, { request }) => {
    if (groupId === '') return { throttleTimeMs, errorCode: KAFKA_ERROR.INVALID_GROUP_ID, members: [] }
    const outcomes = await runner.leave(groupId, members)
    const answers =
      members.map(({ memberId, groupInstanceId }, i) => ({ memberId, groupInstanceId, errorCode: outcomes[i]! }))
    // Before v3 a request names one member, and its outcome is that of the request.
    return {
      throttleTimeMs, errorCode: request.clientVersion < 3 ? outcomes[0] ?? KAFKA_ERROR.NONE : KAFKA_ERROR.NONE,
      members: answers
    }
  })],
  [API.offsetCommit, route(offsetCommitRequest, offsetCommitResponse, (runner, request, call) =>
    runner.commit(request, call.request.clientVersion))],
  [API.offsetFetch, route(offsetFetchRequest, offsetFetchResponse, async (runner, request) =>
    ({ throttleTimeMs, topics: [], errorCode: KAFKA_ERROR.NONE, groups: await runner.fetch(request.groups) }))],
  [API.describeGroups, route(describeGroupsRequest, describeGroupsResponse, async (runner, request, call) =>
    ({ throttleTimeMs, groups: await runner.describe(request.groups, call.request.clientVersion) }))],
  [API.listGroups, route(listGroupsRequest, listGroupsResponse, async (runner, request) =>
    ({ throttleTimeMs, errorCode: KAFKA_ERROR.NONE, groups: await runner.list(request) }))],
  [API.deleteGroups, route(deleteGroupsRequest, deleteGroupsResponse, async (runner, request) => {
    const outcomes = await runner.delete(request.groupsNames)
    return { throttleTimeMs, results: request.groupsNames.map((groupId, i) => ({ groupId, errorCode: outcomes[i]! })) }
  })]
])

/** Copies what the group keeps: the request's bytes are views of its frame. */
function joinCommand(request: JoinGroupRequest, call: GroupRequest): JoinCommand {
  const { sessionTimeoutMs, rebalanceTimeoutMs, memberId, groupInstanceId, protocolType, protocols } = request
  if (memberId === '' && call.memberId === '') throw new ZonewiseError('FRAME_INVALID', 'gateway drew no member id')
  return {
    requestId: call.requestId, version: call.clientVersion, memberId, drawnMemberId: call.memberId, groupInstanceId,
    clientId: call.clientId ?? '', clientHost: call.clientHost, sessionTimeoutMs,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs, protocolType,
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) }))
  }
}

function syncCommand(request: SyncGroupRequest, call: GroupRequest): SyncCommand {
  const { generationId, memberId, groupInstanceId, protocolType, protocolName, assignments } = request
  return {
    requestId: call.requestId, generationId, memberId, groupInstanceId, protocolType, protocolName,
    assignments: new Map(
      assignments.map(({ memberId: assignee, assignment }) => [assignee, new Uint8Array(assignment)])
    )
  }
}
