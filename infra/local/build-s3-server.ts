/** Builds the local S3 server where it is missing, and says where it is. */
import { explain } from '#shared/errors/zonewise-error.ts'
import { s3ServerBinary } from './s3-binary.ts'

try {
  const binary = await s3ServerBinary((line) => { process.stdout.write(`${line}\n`) })
  process.stdout.write(`the local S3 server is ${binary}\n`)
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = 1
}
