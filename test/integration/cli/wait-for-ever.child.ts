/** Says what it runs on and what it was given, then waits until it is ended. */
process.stdout.write(`${process.version} ${process.pid} ${process.argv.slice(2).join(' ')}\n`)
setInterval(() => {}, 60_000)
