/**
 * DeleteRecords (API key 21), versions 0-2: v2 is flexible.
 * Source: https://kafka.apache.org/protocol.html#The_Messages_DeleteRecords
 */
import { array, field, int16, int32, int64, message, string, struct, type Infer } from '../../binary/message.ts'

const versions = { versions: [0, 2], flexibleSince: 2 } as const

export const deleteRecordsRequest = message('DeleteRecordsRequest', versions, {
  topics: field(array(struct({
    name: field(string),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      offset: field(int64)
    })))
  }))),
  timeoutMs: field(int32)
})

export const deleteRecordsResponse = message('DeleteRecordsResponse', versions, {
  throttleTimeMs: field(int32),
  topics: field(array(struct({
    name: field(string),
    partitions: field(array(struct({
      partitionIndex: field(int32),
      lowWatermark: field(int64),
      errorCode: field(int16)
    })))
  })))
})

export type DeleteRecordsRequest = Infer<typeof deleteRecordsRequest>
export type DeleteRecordsResponse = Infer<typeof deleteRecordsResponse>
