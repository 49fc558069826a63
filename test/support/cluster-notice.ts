// Says what the tests against a cluster have to leave out here, and why, before they start.
import { clusterMissing } from './cluster.ts'
import { helms } from './helm.ts'

export function setup(): void {
  if (clusterMissing !== undefined) console.log(`Skipped: all of these tests need ${clusterMissing}`)
  if (helms.length === 0) console.log('Skipped: the tests of the chart and of its policy need helm (PATH, or HELM)')
}
