// `sidegate schema`: the JSON Schema of the settings, for editors and pipelines.
import { jsonSchema } from '../../config/schema.ts'
import { DONE, type Shell } from '../shell.ts'

export function schema(shell: Shell): number {
  shell.print(JSON.stringify(jsonSchema(), null, 2))
  return DONE
}
