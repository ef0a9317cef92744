/** Readers.java, compiled against Apache Kafka's client, which Maven fetches once into the user's cache folder. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'
import { hashText } from '#shared/cluster/hash.ts'
import { findProgram } from '#infra/local/find-program.ts'
import { cacheFolder, type Progress } from '#infra/local/s3-binary.ts'
import type { ClientProgram } from './client-process.ts'

const FOLDER = fileURLToPath(new URL('readers', import.meta.url))
const [POM, SOURCE] = [join(FOLDER, 'pom.xml'), join(FOLDER, 'Readers.java')]
/** Small and quick to start: it shares the machine with a cluster. */
const JVM = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const LOG = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
const NEEDED = ['java', 'javac', 'mvn'] as const

const run = promisify(execFile)

/** What is missing for it, as one sentence, or null. */
export function javaObstacle(env: NodeJS.ProcessEnv = process.env): string | null {
  const missing = NEEDED.filter((name) => findProgram(name, env) === null)
  return missing.length === 0 ? null : `no ${missing.join(', no ')} here (Debian: default-jdk-headless and maven)`
}

/** @throws ZonewiseError TOOL_MISSING: Maven or the compiler failed, and how */
export async function javaReaders(progress: Progress): Promise<ClientProgram> {
  const sources = [POM, SOURCE].map((file) => readFileSync(file, 'utf8')).join()
  const folder = join(cacheFolder(process.env), `java-readers-${hashText(sources).toString(16)}`)
  if (!existsSync(folder)) {
    progress('compiling the readers in Java, once')
    mkdirSync(dirname(folder), { recursive: true })
    const making = mkdtempSync(`${folder}-making-`) // moved when it is whole: others see all of it or nothing
    try {
      await run('mvn', ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', `-DoutputDirectory=${making}`])
      await run('javac', ['-cp', join(making, '*'), '-d', making, SOURCE])
      renameSync(making, folder)
    } catch (cause) {
      throw new ZonewiseError('TOOL_MISSING', 'the readers in Java cannot be made', {
        install: 'a Java of 17 or newer with its compiler, and Maven that reaches its repository'
      }, cause)
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
  }
  const path = [join(folder, '*'), folder].join(process.platform === 'win32' ? ';' : ':')
  return { command: ['java', ...JVM, LOG, '-cp', path, 'Readers'], env: process.env }
}
