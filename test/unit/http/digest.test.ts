// Digest is parsed and never answered: every challenge of the vectors comes out as it went in, whoever wrote it and however.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../../../src/http/challenge.ts'
import vectors from '../../vectors/digest.json' with { type: 'json' }

const quoted = (value: string): string => `"${value.replace(/["\\]/g, '\\$&')}"`

/** RFC 7616 §3.3: which parameters are quoted, and which must not be. */
function challengeOf({ realm, nonce, algorithm, qop }: (typeof vectors)[number]): [string, Record<string, string>] {
  const params = {
    realm,
    ...(qop && { qop }),
    algorithm,
    nonce,
    opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
  }
  const list = Object.entries(params).map(([name, value]) =>
    name === 'algorithm' ? `${name}=${value}` : `${name}=${quoted(value)}`,
  )
  return [`Digest ${list.join(', ')}`, params]
}

describe('digest', () => {
  it.each(vectors)('E4 the challenge of $source, $algorithm, $realm', (vector) => {
    const [header, params] = challengeOf(vector)
    const expected = { scheme: 'digest', params: Object.assign(Object.create(null), params) }
    expect(parseChallenges(header)).toStrictEqual([expected])
    expect(parseChallenges(`Negotiate, ${header}, ${header}`)).toStrictEqual([
      { scheme: 'negotiate', params: Object.create(null) },
      expected,
      expected,
    ])
  })

  it('E4 what is parsed is enough to answer with, were there an MD5: the responses of the vectors', () => {
    const names: Record<string, string> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' }
    for (const vector of vectors) {
      const [name = '', session] = vector.algorithm.split('-sess')
      const hash = (text: string): string =>
        createHash(names[name] ?? name)
          .update(text)
          .digest('hex')
      const { realm, nonce, qop } = parseChallenges(challengeOf(vector)[0])?.[0]?.params ?? {}
      const user = hash(`${vector.username}:${realm}:${vector.password}`)
      const first = session === undefined ? user : hash(`${user}:${nonce}:${vector.cnonce}`)
      const middle = qop ? `${nonce}:${vector.nc}:${vector.cnonce}:${qop}` : nonce
      expect(hash(`${first}:${middle}:${hash(`${vector.method}:${vector.uri}`)}`)).toBe(vector.response)
    }
  })
})
