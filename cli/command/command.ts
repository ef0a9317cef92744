/** A command of `zonewise`, as help shows it and as main runs it. */
import type { Readable, Writable } from 'node:stream'
import type { Arguments, FlagSpec } from './arguments.ts'

export type Terminal = {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
  /** Calls `fn` at each SIGINT or SIGTERM instead of dying of it; returns the way back. */
  onSignal(fn: (signal: 'SIGINT' | 'SIGTERM') => void): () => void
  /** Calls `fn` when nobody reads our output any more, instead of ending the process in peace. */
  onOutputClosed(fn: () => void): void
  /** Ends the process at once. */
  exit(code: number): never
}

export type Command = {
  readonly name: string // 'start', 'topic create'
  readonly words: string // what follows the name: 'TOPIC'
  readonly wordCount: number
  readonly summary: string
  readonly flags: readonly FlagSpec[]
  readonly settings: boolean // the flags of all settings tables belong to it
  readonly examples: readonly string[]
  /** @returns the exit code. @throws ZonewiseError: one sentence on stderr, exit code 1. */
  readonly run: (args: Arguments, terminal: Terminal) => Promise<number>
}

/** The command line names no command, or too little of one: a sentence, and exit code 2. */
export class UsageError extends Error {}

export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const
