// Was this RSA key made by a generator whose keys can be factored (CVE-2017-15361, "ROCA")? Such a modulus, taken modulo
// small primes, is always a power of 65537. Nemec, Sys, Svenda, Klinec, Matyas: The Return of Coppersmith's Attack, 2017.
import type { KeyObject } from 'node:crypto'

const GENERATOR = 65_537
const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
]

/** True where the modulus has the fingerprint; by chance that happens to less than one key in 2^27. */
export function hasRocaFingerprint(key: KeyObject): boolean {
  const { n } = key.export({ format: 'jwk' })
  if (typeof n !== 'string') return false
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`)
  return PRIMES.every((prime) => isPowerOfGenerator(Number(modulus % BigInt(prime)), prime))
}

function isPowerOfGenerator(remainder: number, prime: number): boolean {
  let power = 1
  do {
    if (power === remainder) return true
    power = (power * GENERATOR) % prime
  } while (power !== 1)
  return false
}
