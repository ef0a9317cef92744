/** Programs on the PATH. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of a program, or null. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | null {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, executable(name))
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue // not in this folder
    }
  }
  return null
}

export function executable(name: string): string {
  return process.platform === 'win32' ? `${name}.exe` : name
}
