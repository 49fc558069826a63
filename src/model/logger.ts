// Where parts log: the part of a pino logger that they use.

export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** For parts that log nothing but errors. */
export type ErrorLogger = Pick<Logger, 'error'>
