// Settings for tests: the smallest file that loads, and the lines that a person would see.
import { type LoadResult, loadConfig, type SettingsSources } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { formatProblem } from '../../src/config/problems.ts'

/** The one setting without a default, on one line. */
export const issuersLine =
  'issuers: [{ issuer: https://id.example.com, audiences: [orders], keys: { discovery: true } }]'

/** Loads a text as `sidegate.yaml`, with variables and flags where they are given. */
export function load(text: string, more: Partial<SettingsSources> = {}): LoadResult {
  return loadConfig({ file: { path: 'sidegate.yaml', text }, environment: {}, flags: {}, ...more })
}

/** The settings of a text that must load. */
export function configOf(text: string, more: Partial<SettingsSources> = {}): Config {
  const result = load(text, more)
  if ('problems' in result) throw new Error(result.problems.map(formatProblem).join('\n'))
  return result.config
}

/** The lines that are printed about a text that must not load. */
export function problemsOf(text: string, more: Partial<SettingsSources> = {}): string[] {
  const result = load(text, more)
  if ('config' in result) throw new Error('Expected problems, got settings')
  return result.problems.map(formatProblem)
}

/** The lines of the warnings about a text that must load. */
export function warningsOf(text: string, more: Partial<SettingsSources> = {}): string[] {
  const result = load(text, more)
  if ('problems' in result) throw new Error(result.problems.map(formatProblem).join('\n'))
  return result.warnings.map(formatProblem)
}
