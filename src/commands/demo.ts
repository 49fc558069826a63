// `sidegate demo`: the whole product on one machine, with no set-up. It prints curl lines that work as printed; with
// `--script` it runs them itself and checks each outcome.
import type { Argv } from 'yargs'
import { type DemoStage, openStage } from '../demo/stage.ts'
import { curlLine, type DemoStep, demoSteps } from '../demo/steps.ts'
import { createLog } from '../telemetry/logs/log.ts'
import { ANSWER_IS_NO, DONE, type Shell } from './shell.ts'

/** So often that the one that ends soon is always about to end, and never over. */
const RENEW_TOKENS_MS = 4_000

export function demoOptions<T>(argv: Argv<T>) {
  return argv.option('script', {
    type: 'boolean',
    default: false,
    description: 'Run the printed lines, check each outcome, and end',
  })
}

/** Answers 0 when it was stopped, or when every outcome was as it should be; else 1. */
export async function demo(given: { readonly script: boolean }, shell: Shell): Promise<number> {
  const log = createLog(
    { level: given.script ? 'silent' : 'info', format: 'auto' },
    { isTerminal: shell.isTerminal, to: { write: (line) => shell.complain(line.trimEnd()) } },
  )
  const stopped = given.script ? undefined : shell.untilStopped()
  const stage = await openStage({ log, clock: shell.clock })
  try {
    if (stopped !== undefined) shell.print(`Open ${stage.places.gate}/ to watch a token live and be renewed.\n`)
    shell.print(
      'An app, an issuer and a gate with the list in memory, all on this machine. The settings of the gate:\n',
    )
    for (const line of stage.settingsText.trimEnd().split('\n')) shell.print(`  ${line}`)
    shell.print('')
    return stopped === undefined ? await runScript(stage, shell) : await keepOpen(stage, shell, stopped)
  } finally {
    await stage.close()
  }
}

async function keepOpen(stage: DemoStage, shell: Shell, stopped: Promise<string>): Promise<number> {
  await stage.renewTokens()
  for (const step of demoSteps) {
    shell.print(`# ${step.title}: ${step.status}, ${step.shows}`)
    shell.print(`${curlLine(step, stage.places)}\n`)
  }
  shell.print('The tokens are renewed all the time, so the lines go on working. Ctrl-C ends the demo.')
  let renewing: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    renewing = stage.renewTokens().catch((error: unknown) => shell.complain(`Cannot renew the tokens: ${error}`))
  }, RENEW_TOKENS_MS)
  await stopped
  clearInterval(timer)
  // Else it would write into a folder that is gone.
  await renewing
  return DONE
}

async function runScript(stage: DemoStage, shell: Shell): Promise<number> {
  const tokens = await stage.renewTokens()
  let wrong = 0
  for (const [index, step] of demoSteps.entries()) {
    shell.print(`${String(index + 1).padStart(2)}  ${step.title}`)
    shell.print(`    ${curlLine(step, stage.places)}`)
    const outcome = await tryStep(step, stage.places[step.port], step.token && tokens[step.token])
    if (!outcome.isRight) wrong++
    shell.print(`    ${outcome.isRight ? '✓' : '✗'} ${outcome.text}\n`)
  }
  if (wrong > 0) shell.print(`${wrong} of ${demoSteps.length} outcomes are not as they should be`)
  else
    shell.print(
      `All ${demoSteps.length} outcomes are as they should be. "npm run dev" keeps the demo open, with a page to look at.`,
    )
  return wrong > 0 ? ANSWER_IS_NO : DONE
}

interface StepOutcome {
  readonly isRight: boolean
  readonly text: string
}

async function tryStep(step: DemoStep, base: string, token: string | undefined): Promise<StepOutcome> {
  const headers = new Headers(step.body === undefined ? {} : { 'content-type': 'application/json' })
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  if (step.header !== undefined) headers.set(...step.header)
  const response = await fetch(`${base}${step.path}`, { method: step.method, headers, body: step.body ?? null })
  const answer = { headers: response.headers, body: await response.text() }
  if (response.status === step.status && step.check(answer))
    return { isRight: true, text: `${step.status}, ${step.shows}` }
  const got = `${response.status} ${answer.body.slice(0, 200).trim()}`
  return { isRight: false, text: `expected ${step.status}, ${step.shows}; got ${got}` }
}
