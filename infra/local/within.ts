/** Where a program runs: turns its command line into that of the program that starts it there under the same pid. */
export type Within = (command: readonly string[]) => { readonly file: string; readonly args: readonly string[] }

export const HERE: Within = ([file = '', ...args]) => ({ file, args })
