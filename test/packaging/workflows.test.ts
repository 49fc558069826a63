// The workflows of the repository: what they may do, whose code they run, and that nothing is published unchecked. They
// cannot run here.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }

const folder = join(import.meta.dirname, '../../.github/workflows')

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly needs?: readonly string[]
  readonly permissions: Readonly<Record<string, string>>
  readonly uses?: string
  readonly steps?: readonly Step[]
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions: object
  readonly jobs: Readonly<Record<string, Job>>
}

const texts = ['ci.yml', 'release.yml'].map((name) => readFileSync(join(folder, name), 'utf8'))
const [ci, release] = texts.map((text) => parse(text) as Workflow) as [Workflow, Workflow]
const steps = [ci, release].flatMap(({ jobs }) => Object.values(jobs).flatMap((job) => job.steps ?? []))

test('every action is pinned by the commit of a version that stands beside it', () => {
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => /\buses:/.test(line))
  expect(lines.length).toBeGreaterThan(10)
  for (const line of lines)
    expect(line).toMatch(/uses: (\.\/\.github\/\S+|[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/)
})

test('each job has the permissions that it needs, and no workflow has any', () => {
  expect([ci.permissions, release.permissions]).toEqual([{}, {}])
  const granted = Object.entries({ ...ci.jobs, ...release.jobs }).map(([name, { permissions }]) => [name, permissions])
  const read = { contents: 'read' }
  const publish = { ...read, packages: 'write', 'id-token': 'write' }
  expect(Object.fromEntries(granted)).toEqual({
    check: read,
    ci: read,
    versions: read,
    image: { ...publish, attestations: 'write' },
    chart: publish,
    package: { ...read, 'id-token': 'write' },
  })
})

test('a release begins with a tag of a version, and publishes nothing before all of CI has passed', () => {
  expect(release.on).toEqual({ push: { tags: ['v[0-9]+.[0-9]+.[0-9]+*'] } })
  expect(existsSync(join(folder, '../..', release.jobs.ci?.uses ?? 'absent'))).toBe(true)
  expect(Object.keys(ci.on)).toContain('workflow_call')
  expect(ci.jobs.check?.steps?.some(({ run }) => run?.endsWith(' .ci/run'))).toBe(true)
  for (const [name, job] of Object.entries(release.jobs))
    if (Object.values(job.permissions).includes('write'))
      expect(job.needs, name).toEqual(expect.arrayContaining(['ci', 'versions']))
})

test('the image is built for both processors, with what is in it and how it was built, and is signed by its digest', () => {
  const image = release.jobs.image?.steps ?? []
  expect(image.find(({ uses }) => uses?.startsWith('docker/build-push-action@'))?.with).toMatchObject({
    platforms: 'linux/amd64,linux/arm64',
    sbom: true,
    provenance: 'mode=max',
  })
  expect(image.filter(({ uses }) => uses?.startsWith('actions/attest@'))).toHaveLength(2)
  expect(image.some(({ run }) => /^cosign sign .*"\$IMAGE@\$DIGEST"$/.test(run ?? ''))).toBe(true)
})

test('no step puts a text from outside into a script, keeps credentials on disk, or needs a secret of ours', () => {
  for (const { run, uses, with: given } of steps) {
    expect(run ?? '').not.toContain('${{')
    if (uses?.startsWith('actions/checkout@')) expect(given).toMatchObject({ 'persist-credentials': false })
  }
  const secrets = texts.flatMap((text) => [...text.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name))
  expect(new Set(secrets)).toEqual(new Set(['GITHUB_TOKEN']))
})

test('every script that a workflow runs is there', () => {
  const scripts = steps.flatMap(({ run }) =>
    [...(run ?? '').matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name),
  )
  expect(scripts.length).toBeGreaterThan(0)
  for (const name of scripts) expect(Object.keys(manifest.scripts)).toContain(name)
})
