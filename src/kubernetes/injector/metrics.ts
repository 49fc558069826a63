// What does the injector count? Two families, written by hand in the text format of Prometheus; docs/metrics.md is written from
// this table.
import type { ReviewResult } from './review.ts'

/** How a request to review ended; "failed" is one that was not answered as a review. */
export type CountedResult = ReviewResult | 'failed'

export const injectorMetrics = {
  reviews: {
    name: 'sidegate_injector_reviews_total',
    type: 'counter',
    labelNames: ['result'],
    help: 'Reviews of pods: injected, unchanged, refused, or failed where no review was answered',
  },
  expiry: {
    name: 'sidegate_injector_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    labelNames: [],
    help: 'When the certificate that is shown expires; absent where there is none yet',
  },
} as const

/** The text that /metrics answers. */
export function writeMetrics(counts: Readonly<Record<CountedResult, number>>, expiresMs: number | undefined): string {
  const { reviews, expiry } = injectorMetrics
  return [
    ...headOf(reviews),
    ...Object.entries(counts).map(([result, count]) => `${reviews.name}{result="${result}"} ${count}`),
    ...headOf(expiry),
    ...(expiresMs === undefined ? [] : [`${expiry.name} ${Math.floor(expiresMs / 1000)}`]),
  ].join('\n')
}

function headOf({ name, help, type }: { readonly name: string; readonly help: string; readonly type: string }) {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
}
