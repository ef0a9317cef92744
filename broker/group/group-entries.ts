/**
 * What a shard journals of consumer groups (docs/object-format.md). Each body is a format version (u8) and a message
 * of the grammar in that version:
 *   groupGeneration  a generation was given to members that joined (`settled` null), or was settled: the leader's
 *                    assignment came, a static member changed its id, or the group became empty
 *   groupOffsets     offsets committed and offsets removed (retention, topic deleted)
 *   groupDelete      the group is gone, with its offsets
 */
import {
  array, bytes, decodeMessage, encodeMessage, field, float64, int32, int64, message, string, struct, uuid, type Infer,
  type Message
} from '#shared/binary/message.ts'
import { Reader } from '#shared/binary/reader.ts'
import { Writer } from '#shared/binary/writer.ts'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { ENTRY_KIND, type Entry } from '../shard/entry.ts'

const versions = { versions: [0, 0], flexibleSince: 0 } as const

const member = struct({
  memberId: field(string),
  groupInstanceId: field(string, { nullable: true }),
  clientId: field(string),
  clientHost: field(string),
  sessionTimeoutMs: field(int32),
  rebalanceTimeoutMs: field(int32),
  subscription: field(bytes), // the member's metadata for the group's protocol
  assignment: field(bytes)
})

const settled = struct({
  protocolType: field(string, { nullable: true }),
  protocolName: field(string, { nullable: true }),
  leaderId: field(string, { nullable: true }),
  members: field(array(member))
})

const groupGeneration = message('GroupGenerationEntry', versions, {
  groupId: field(string),
  generation: field(int32),
  settled: field(settled, { nullable: true })
})

const groupOffsets = message('GroupOffsetsEntry', versions, {
  groupId: field(string),
  topics: field(array(struct({
    topicId: field(uuid),
    committed: field(array(struct({
      partition: field(int32), offset: field(int64), leaderEpoch: field(int32), metadata: field(string)
    }))),
    removed: field(array(int32)) // partitions
  })))
})

const groupDelete = message('GroupDeleteEntry', versions, { groupId: field(string) })

/** Bodies of the entries, behind one byte of format. */
export const GROUP_MESSAGES: readonly Message<unknown>[] = [groupGeneration, groupOffsets, groupDelete]

/** Behind one byte of format. */
export const GROUPS_SNAPSHOT = message('GroupsSnapshot', versions, {
  groups: field(array(struct({
    groupId: field(string),
    generation: field(int32),
    generationGiven: field(int32),
    settled: field(settled),
    emptySinceMs: field(float64),
    topics: field(array(struct({
      topicId: field(uuid),
      partitions: field(array(struct({
        partition: field(int32), offset: field(int64), leaderEpoch: field(int32), metadata: field(string),
        committedMs: field(float64)
      })))
    })))
  })))
})

export type MemberRecord = Infer<typeof member>
export type SettledRecord = Infer<typeof settled>
export type GroupGenerationEntry = Infer<typeof groupGeneration>
export type GroupOffsetsEntry = Infer<typeof groupOffsets>
export type GroupsSnapshot = Infer<typeof GROUPS_SNAPSHOT>

export function groupGenerationEntry(value: GroupGenerationEntry): Entry {
  return { kind: ENTRY_KIND.groupGeneration, body: joined(groupGeneration, value) }
}

export function groupOffsetsEntry(value: GroupOffsetsEntry): Entry {
  return { kind: ENTRY_KIND.groupOffsets, body: joined(groupOffsets, value) }
}

export function groupDeleteEntry(groupId: string): Entry {
  return { kind: ENTRY_KIND.groupDelete, body: joined(groupDelete, { groupId }) }
}

/** @throws ZonewiseError FORMAT_TOO_NEW, FRAME_INVALID: quarantine the shard; so do the other decoders. */
export function decodeGroupGeneration(body: Uint8Array): GroupGenerationEntry {
  return decoded(groupGeneration, body)
}

export function decodeGroupOffsets(body: Uint8Array): GroupOffsetsEntry {
  return decoded(groupOffsets, body)
}

export function decodeGroupDelete(body: Uint8Array): { readonly groupId: string } {
  return decoded(groupDelete, body)
}

export function encodeGroupsSnapshot(snapshot: GroupsSnapshot): Uint8Array[] {
  return encoded(GROUPS_SNAPSHOT, snapshot)
}

export function decodeGroupsSnapshot(body: Uint8Array): GroupsSnapshot {
  return decoded(GROUPS_SNAPSHOT, body)
}

function encoded<T>(of: Message<T>, value: T): Uint8Array[] {
  const writer = new Writer()
  writer.uint8(of.versionMax)
  encodeMessage(of, of.versionMax, value, writer)
  return writer.finish()
}

function joined<T>(of: Message<T>, value: T): Uint8Array {
  return Buffer.concat(encoded(of, value))
}

function decoded<T>(of: Message<T>, body: Uint8Array): T {
  const reader = new Reader(body)
  const version = reader.uint8()
  if (version > of.versionMax) {
    throw new ZonewiseError('FORMAT_TOO_NEW', 'group entry has an unknown format', { message: of.name, version })
  }
  const value = decodeMessage(of, version, reader)
  reader.expectEnd()
  return value
}
