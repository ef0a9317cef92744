/** A Python with confluent-kafka, which brings its own librdkafka: made once, and kept in the user's cache folder. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { cacheFolder, type Progress } from '#infra/local/s3-binary.ts'

const PACKAGE = 'confluent-kafka'
const VERSION = '2.16.1'

const run = promisify(execFile)

export type LibrdkafkaPython = { readonly python: string; readonly env: NodeJS.ProcessEnv }

/** @throws ZonewiseError TOOL_MISSING: what to install */
export async function librdkafkaPython(progress: Progress): Promise<LibrdkafkaPython> {
  const folder = join(cacheFolder(process.env), `${PACKAGE}-${VERSION}`)
  if (!existsSync(folder)) {
    progress(`installing ${PACKAGE} ${VERSION}, once`)
    mkdirSync(dirname(folder), { recursive: true })
    const making = mkdtempSync(`${folder}-making-`) // moved when it is whole: others see all of it or nothing
    try {
      await run('python3', ['-m', 'venv', join(making, 'pip')])
      await run(join(making, 'pip', 'bin', 'pip'), [
        'install', '--quiet', '--only-binary', ':all:', '--target', join(making, 'packages'), `${PACKAGE}==${VERSION}`
      ])
      renameSync(join(making, 'packages'), folder)
    } catch (cause) {
      throw new ZonewiseError('TOOL_MISSING', 'there is no librdkafka for the drills', {
        install: 'python3 with venv (Debian: apt-get install python3 python3-venv)'
      }, cause)
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
  }
  return { python: 'python3', env: { ...process.env, PYTHONPATH: folder } }
}
