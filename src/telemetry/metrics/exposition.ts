// The text that Prometheus scrapes: the classic format, or OpenMetrics where it is asked for.

const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

export interface Exposition {
  readonly contentType: string
  readonly body: string
}

/** Answers the metrics in the format that the `Accept` header prefers. */
export async function expose(
  registry: { metrics(): Promise<string>; readonly contentType: string },
  accept: string | undefined,
): Promise<Exposition> {
  const text = await registry.metrics()
  if (accept?.includes('application/openmetrics-text') !== true)
    return { contentType: registry.contentType, body: text }
  return { contentType: OPEN_METRICS_TYPE, body: toOpenMetrics(text) }
}

/**
 * OpenMetrics 1.0 names a counter's family without `_total`, allows no blank lines and ends with `# EOF`. prom-client
 * 15 can write it as well, but renames its counters for good when it does, so that the next classic scrape is wrong.
 */
function toOpenMetrics(text: string): string {
  const counters = new Set<string>()
  for (const [, name] of text.matchAll(/^# TYPE (\S+)_total counter$/gm)) if (name !== undefined) counters.add(name)
  const lines: string[] = []
  for (const line of text.split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+)_total (.*)$/.exec(line)
    if (comment !== null && counters.has(comment[2] ?? '')) lines.push(`# ${comment[1]} ${comment[2]} ${comment[3]}`)
    else if (line !== '') lines.push(line)
  }
  return `${lines.join('\n')}\n# EOF\n`
}
