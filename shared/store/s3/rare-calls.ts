/** The calls that the SDK makes: HEAD, LIST, DELETE. Keys here are those of the bucket, prefix included. */
import { DeleteObjectCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { PUT_ID_NAME } from './put-id.ts'
import type { S3Session } from './session.ts'

export type Found = { readonly key: string; readonly bytes: number; readonly modifiedMs: number }
export type FoundHead = Found & { readonly putId: string | undefined }
/** `next`: where the following page begins. */
export type Page = { readonly found: readonly Found[]; readonly next: string | null }

type Where = { readonly bucket: string; readonly signal: AbortSignal }

export async function headObject({ client }: S3Session, { bucket, signal }: Where, key: string): Promise<FoundHead> {
  const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal })
  const { ContentLength: bytes = 0, LastModified, Metadata } = head
  return { key, bytes, modifiedMs: LastModified?.getTime() ?? 0, putId: Metadata?.[PUT_ID_NAME] }
}

export type PageOptions = {
  readonly prefix: string
  readonly after: string
  readonly next: string | null
  readonly max: number
}

/** One page of at most `max` keys above `after`, in the order in which the store names them. */
export async function listPage(
  { client }: S3Session, { bucket, signal }: Where, { prefix, after, next, max }: PageOptions
): Promise<Page> {
  const list = await client.send(new ListObjectsV2Command({
    Bucket: bucket, Prefix: prefix, MaxKeys: max, EncodingType: 'url',
    ...(after !== '' && { StartAfter: after }), ...(next !== null && { ContinuationToken: next })
  }), { abortSignal: signal })
  const found = (list.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) =>
    ({ key: keyOf(Key), bytes: Size, modifiedMs: LastModified?.getTime() ?? 0 }))
  return { found, next: list.IsTruncated === true ? (list.NextContinuationToken ?? null) : null }
}

export async function deleteObject({ client }: S3Session, { bucket, signal }: Where, key: string): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal })
}

/** Undoes `EncodingType: 'url'`; what is no valid escape is a foreign key, and stays as it is. */
function keyOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    return encoded
  }
}
