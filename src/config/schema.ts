// How would an editor check a settings file? The table as JSON Schema, for completion and for the chart. The rules between
// settings are not in it: only the loader knows them.
import * as z from 'zod'
import { settingsSchema } from './options.ts'
import { isGroup } from './value-types/value-types.ts'

/** The JSON Schema (draft 2020-12) of what may be written, as a plain object. */
export function jsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(settingsSchema, {
    io: 'input',
    override({ jsonSchema: part }) {
      // That a group has defaults shows in its parts.
      if (part.type === 'integer') delete part.multipleOf
      if (part.minItems === 0) delete part.minItems
      const isEmptyGroup = isGroup(part.default) && Object.keys(part.default).length === 0
      if (isEmptyGroup && part.properties !== undefined) delete part.default
    },
  })
  return { $schema, title: 'Settings of Sidegate', ...schema }
}
