/** The page at `/`: where things are. */
import type { Endpoint } from '#cli/node/types.ts'

export function indexPage(paths: Readonly<Record<string, string>>, endpoints: readonly Endpoint[]): string {
  const links = Object.entries(paths)
    .map(([path, what]) => `<li><a href="${path}">${path}</a> ${escapeHtml(what)}</li>`)
  const zones = endpoints.map(({ zone, host, port, nodeId }) =>
    `<tr><td>${escapeHtml(zone)}</td><td><code>${escapeHtml(`${host}:${port}`)}</code></td><td>${nodeId}</td></tr>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Zonewise</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
  td, th { padding: .1rem 1rem .1rem 0; text-align: left }
</style>
</head><body><h1>Zonewise</h1>
<table><tr><th>zone</th><th>bootstrap server</th><th>node</th></tr>${zones.join('')}</table>
<ul>${links.join('')}</ul></body></html>
`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
