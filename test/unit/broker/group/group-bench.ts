/** A coordinator on one shard of a journal in memory, and members that speak to it in Kafka's own messages. */
import assert from 'node:assert/strict'
import { brokerSettings } from '#broker/config.ts'
import { GroupCoordinator } from '#broker/group/group-coordinator.ts'
import type { GroupRunnerParts, GroupSettings } from '#broker/group/group-runner.ts'
import { decodeMessage, encodeMessage, type Message } from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { silentLog } from '#shared/log/log.ts'
import { Rng } from '#shared/runtime/rng.ts'
import type { Transport } from '#shared/transport/transport.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '#shared/wire/api/delete-groups.ts'
import {
  describeGroupsRequest, describeGroupsResponse, type DescribeGroupsResponse
} from '#shared/wire/api/describe-groups.ts'
import { heartbeatRequest, heartbeatResponse, type HeartbeatRequest } from '#shared/wire/api/heartbeat.ts'
import {
  joinGroupRequest, joinGroupResponse, type JoinGroupRequest, type JoinGroupResponse
} from '#shared/wire/api/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse, type LeaveGroupResponse } from '#shared/wire/api/leave-group.ts'
import { listGroupsRequest, listGroupsResponse, type ListGroupsResponse } from '#shared/wire/api/list-groups.ts'
import { offsetCommitRequest, offsetCommitResponse } from '#shared/wire/api/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse, type OffsetFetchResponse } from '#shared/wire/api/offset-fetch.ts'
import {
  syncGroupRequest, syncGroupResponse, type SyncGroupRequest, type SyncGroupResponse
} from '#shared/wire/api/sync-group.ts'
import { FakeShards } from '#test/support/fake-shards.ts'
import { ManualRuntime } from '#test/support/manual-runtime.ts'

export const SHARD = 3
export const NODE = 1
export const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAQ'

export type CallOptions = {
  readonly clientVersion?: number // newest of the API unless given
  readonly requestId?: string
  readonly memberId?: string // as drawn by the gateway
  readonly clientId?: string
  readonly signal?: AbortSignal
}

export type CommitCaller = {
  readonly groupId?: string
  readonly memberId?: string
  readonly groupInstanceId?: string | null
  readonly generationId?: number
  readonly metadata?: string
  readonly topicId?: string
  readonly partition?: number
  readonly clientVersion?: number
}

type TopicsAsked = 'all' | readonly { readonly topicId: string; readonly partitionIndexes: readonly number[] }[]
type FetchedGroup = OffsetFetchResponse['groups'][number]

const API_KEYS = new Map<Message<unknown>, number>([
  [offsetCommitRequest, 8], [offsetFetchRequest, 9], [joinGroupRequest, 11], [heartbeatRequest, 12],
  [leaveGroupRequest, 13],
  [syncGroupRequest, 14], [describeGroupsRequest, 15], [listGroupsRequest, 16], [deleteGroupsRequest, 42]
])

/** What the gateway is told where there is no answer of Kafka's. */
export class NotReached extends Error {
  readonly errorCode: number

  constructor(errorCode: number) {
    super(`group call did not reach a coordinator: ${errorCode}`)
    this.errorCode = errorCode
  }
}

export class GroupBench {
  readonly runtime: ManualRuntime
  readonly shards: FakeShards
  readonly coordinator: GroupCoordinator
  #calls = 0

  constructor(options: {
    readonly settings?: Partial<GroupSettings>; readonly topics?: GroupRunnerParts['topics']; readonly seed?: number;
    readonly appendMsMax?: number
  } = {}) {
    const { settings = {}, topics = null, seed = 1, appendMsMax = 0 } = options
    this.runtime = new ManualRuntime({ seed })
    this.shards = new FakeShards(this.runtime, new Rng(seed), appendMsMax)
    this.coordinator = new GroupCoordinator({
      leaders: this.shards.leadersOf(NODE), transport: noTransport, runtime: this.runtime, log: silentLog, topics,
      settings: { ...brokerSettings.defaults(), groupInitialRebalanceDelayMs: 0, ...settings }
    })
    this.shards.lead(SHARD, NODE)
  }

  async call<Request, Response>(
    of: { readonly request: Message<Request>; readonly response: Message<Response> }, request: Request,
    options: CallOptions = {}
  ): Promise<Response> {
    const { clientVersion = of.request.versionMax, clientId = 'app', signal = new AbortController().signal } = options
    const writer = new Writer()
    encodeMessage(of.request, of.request.versionMax, request, writer)
    const number = ++this.#calls
    const { errorCode, body } = await this.coordinator.handle({
      shard: SHARD, apiKey: API_KEYS.get(of.request)!, clientVersion, clientId, clientHost: '/10.0.0.1',
      requestId: options.requestId ?? `request-${number}`, memberId: options.memberId ?? `${clientId}-drawn-${number}`,
      body: Buffer.concat(writer.finish())
    }, signal)
    if (errorCode !== 0) throw new NotReached(errorCode)
    return decodeMessage(of.response, of.response.versionMax, new Reader(body))
  }

  /** Lets everything happen that needs no time, then expects the answer to be there. */
  async now<T>(answer: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => { settled = true }
    answer.then(mark, mark)
    await this.runtime.settle()
    assert(settled, 'the call still waits')
    return answer
  }

  join(request: Partial<JoinGroupRequest>, options: CallOptions = {}): Promise<JoinGroupResponse> {
    return this.call({ request: joinGroupRequest, response: joinGroupResponse }, {
      groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 30_000, memberId: '', groupInstanceId: null,
      protocolType: 'consumer',
      protocols: protocols({ range: 'topics' }), reason: null, ...request
    }, options)
  }

  /** Joins a new dynamic member: the id first, then the join, which may have to wait. */
  async newMember(options: { readonly groupId?: string; readonly clientId?: string } = {}): Promise<{
    memberId: string; joined: Promise<JoinGroupResponse>
  }> {
    const { groupId = 'g', clientId = 'app' } = options
    const { errorCode, memberId } = await this.now(this.join({ groupId }, { clientId }))
    assert.equal(errorCode, 79)
    const joined = this.join({ groupId, memberId }, { clientId })
    joined.catch(() => {})
    await this.runtime.settle()
    return { memberId, joined }
  }

  sync(request: Partial<SyncGroupRequest>, options: CallOptions = {}): Promise<SyncGroupResponse> {
    return this.call({ request: syncGroupRequest, response: syncGroupResponse }, {
      groupId: 'g', generationId: 1, memberId: '', groupInstanceId: null, protocolType: 'consumer',
      protocolName: 'range', assignments: [],
      ...request
    }, options)
  }

  /** A group of one member, stable. */
  async stableGroup(groupId = 'g'): Promise<{ memberId: string; generationId: number }> {
    const { memberId, joined } = await this.newMember({ groupId })
    const { generationId } = await this.now(joined)
    const assignments = [{ memberId, assignment: Buffer.from('all') }]
    const { errorCode } = await this.now(this.sync({ groupId, generationId, memberId, assignments }))
    assert.equal(errorCode, 0)
    return { memberId, generationId }
  }

  heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): Promise<number> {
    return this.now(this.beat({ groupId: 'g', generationId, memberId, groupInstanceId }))
  }

  /** As `heartbeat`, in its own time; so are `commitOne` and `fetchOne`. */
  async beat(request: HeartbeatRequest): Promise<number> {
    return (await this.call({ request: heartbeatRequest, response: heartbeatResponse }, request)).errorCode
  }

  leave(
    members: readonly { readonly memberId: string; readonly groupInstanceId?: string }[], options: CallOptions = {}
  ): Promise<LeaveGroupResponse> {
    const leaving = members.map(({ memberId, groupInstanceId = null }) => ({ memberId, groupInstanceId, reason: null }))
    return this.call(
      { request: leaveGroupRequest, response: leaveGroupResponse }, { groupId: 'g', memberId: '', members: leaving },
      options
    )
  }

  /** Commits one offset; returns its error code. */
  commit(offset: number, caller: CommitCaller = {}): Promise<number> {
    return this.now(this.commitOne(offset, caller))
  }

  async commitOne(offset: number, caller: CommitCaller): Promise<number> {
    const {
      groupId = 'g', memberId = '', groupInstanceId = null, generationId = -1, metadata = '', topicId = TOPIC,
      partition = 0, clientVersion = 10
    } = caller
    const partitions =
      [{ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata }]
    const response = await this.call({ request: offsetCommitRequest, response: offsetCommitResponse }, {
      groupId, generationIdOrMemberEpoch: generationId, memberId, groupInstanceId, retentionTimeMs: -1,
      topics: [{ name: '', topicId, partitions }]
    }, { clientVersion })
    return response.topics[0]!.partitions[0]!.errorCode
  }

  fetch(groupId: string, topics: TopicsAsked): Promise<FetchedGroup> {
    return this.now(this.fetchOne(groupId, topics))
  }

  async fetchOne(groupId: string, topics: TopicsAsked): Promise<FetchedGroup> {
    const asked = topics === 'all' ? null : topics.map((topic) => ({ ...topic, name: '' }))
    const response = await this.call({ request: offsetFetchRequest, response: offsetFetchResponse }, {
      groupId: '', topics: null, groups: [{ groupId, memberId: null, memberEpoch: -1, topics: asked }],
      requireStable: true
    })
    return response.groups[0]!
  }

  async committed(groupId = 'g', topicId = TOPIC, partition = 0): Promise<number> {
    const { topics } = await this.fetch(groupId, [{ topicId, partitionIndexes: [partition] }])
    return topics[0]!.partitions[0]!.committedOffset
  }

  async describe(groupId = 'g', clientVersion = 5): Promise<DescribeGroupsResponse['groups'][number]> {
    const response = await this.now(this.call({ request: describeGroupsRequest, response: describeGroupsResponse },
      { groups: [groupId], includeAuthorizedOperations: false }, { clientVersion }))
    return response.groups[0]!
  }

  async list(
    statesFilter: readonly string[] = [], typesFilter: readonly string[] = []
  ): Promise<ListGroupsResponse['groups']> {
    return (await this.now(
      this.call({ request: listGroupsRequest, response: listGroupsResponse }, { statesFilter, typesFilter })
    )).groups
  }

  async delete(groupId: string, options: CallOptions = {}): Promise<number> {
    const response = await this.now(
      this.call({ request: deleteGroupsRequest, response: deleteGroupsResponse }, { groupsNames: [groupId] }, options)
    )
    return response.results[0]!.errorCode
  }

  /** Another leadership of the shard, by the same node: whatever was only in memory is gone. */
  takeOver(): void {
    this.shards.lead(SHARD, NODE)
  }
}

export function protocols(metadataByName: Readonly<Record<string, string>>): JoinGroupRequest['protocols'] {
  return Object.entries(metadataByName).map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata) }))
}

/** ConsumerProtocolSubscription: version, topics, and what else the client has to say. */
export function subscription(topics: readonly string[], rest = ''): Uint8Array {
  const writer = new Writer()
  writer.int16(1)
  writer.arrayCount(topics.length, false)
  for (const topic of topics) writer.string(topic, false)
  writer.raw(Buffer.from(rest))
  return Buffer.concat(writer.finish())
}

const noTransport: Transport = {
  nodeId: NODE,
  call: () => Promise.reject(new Error('not used')),
  serve() {},
  close() {}
}
