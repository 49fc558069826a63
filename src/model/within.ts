// How long is a promise waited for?

/** The value of the promise; where it does not come in time, what `late` answers or throws. The promise itself goes on. */
export function within<T, Late>(promise: Promise<T>, timeoutMs: number, late: () => Late): Promise<T | Late> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late())
      } catch (error) {
        reject(error)
      }
    }, timeoutMs)
    promise.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}
