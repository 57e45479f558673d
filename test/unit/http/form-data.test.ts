import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeForm } from '../../../src/http/form-data.ts'

const BOUNDARY = 'relatch-0123456789abcdef'

function form(...entries: Array<[string, string | File]>): FormData {
  const result = new FormData()
  for (const [name, value] of entries) result.append(name, value)
  return result
}

/** What the platform makes of a form, under our boundary. */
async function native(data: FormData): Promise<string> {
  const response = new Response(data)
  const boundary = /boundary=(.*)$/.exec(response.headers.get('content-type') ?? '')?.[1] ?? ''
  return (await response.text()).replaceAll(boundary, BOUNDARY)
}
const ours = (data: FormData): Promise<string> => encodeForm(data, BOUNDARY).text()
const file = (name: string, type = 'text/plain'): File => new File(['content'], name, { type })

describe('encodeForm', () => {
  it('B1 writes the form of RFC 7578', async () => {
    expect(await ours(form(['a', '1'], ['b', file('b.txt')]))).toBe(
      [
        `--${BOUNDARY}`,
        'Content-Disposition: form-data; name="a"',
        '',
        '1',
        `--${BOUNDARY}`,
        'Content-Disposition: form-data; name="b"; filename="b.txt"',
        'Content-Type: text/plain',
        '',
        'content',
        `--${BOUNDARY}--`,
        '',
      ].join('\r\n'),
    )
  })

  it('B1 says its boundary in its type', () => {
    expect(encodeForm(form(), BOUNDARY).type).toBe(`multipart/form-data; boundary=${BOUNDARY}`)
  })

  it.each([
    ['a"b', 'a%22b'],
    ['a\nb', 'a%0D%0Ab'],
    ['a\rb', 'a%0D%0Ab'],
    ['a\r\nb', 'a%0D%0Ab'],
    ['a\n\rb', 'a%0D%0A%0D%0Ab'],
    ['a%22b', 'a%22b'],
    ['a\\b', 'a\\b'],
    ["a'b;c=d", "a'b;c=d"],
    ['ünï€𝒜', 'ünï€𝒜'],
    ['', ''],
    ['$&', '$&'],
  ])('B1 the name %j becomes %j', async (name, written) => {
    expect(await ours(form([name, 'x']))).toContain(`name="${written}"\r\n`)
    expect(await ours(form([name, 'x']))).toBe(await native(form([name, 'x'])))
  })

  it.each([
    ['a"b', 'a%22b'],
    ['a\nb', 'a%0Ab'],
    ['a\r\nb', 'a%0D%0Ab'],
    ['日本語.txt', '日本語.txt'],
  ])('B1 the file name %j becomes %j', async (name, written) => {
    expect(await ours(form(['f', file(name)]))).toContain(`filename="${written}"\r\n`)
    expect(await ours(form(['f', file(name)]))).toBe(await native(form(['f', file(name)])))
  })

  it.each(['a\nb', 'a\rb', 'a\r\nb', '\n\r', '\r\r\n\n'])(
    'B1 the line ends of the value %j are CRLF',
    async (value) => {
      expect(await ours(form(['a', value]))).toBe(await native(form(['a', value])))
    },
  )

  it('B1 line ends inside of a file stay', async () => {
    const text = await ours(form(['f', new File(['a\nb\rc\r\n'], 'f')]))

    expect(text).toContain('\r\n\r\na\nb\rc\r\n\r\n--')
  })

  it('B1 a file without a type is application/octet-stream', async () => {
    expect(await ours(form(['f', file('f', '')]))).toContain('Content-Type: application/octet-stream\r\n')
  })

  it('B1 says what the platform says, whatever the names and values', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: fc.constantFrom('\r', '\n', '"', '%', '-', '\\', ';', 'a', 'ü', '\0'), maxLength: 20 }),
      fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'x'), maxLength: 5 }),
    )
    const value = fc.oneof(
      text,
      fc
        .record({ name: text.filter((name) => name !== ''), content: text })
        .map(({ name, content }) => new File([content], name)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, value), { maxLength: 5 }), async (entries) => {
        const data = form(...entries)
        expect(await ours(data)).toBe(await native(data))
      }),
      { numRuns: 300 },
    )
  })
})
