/** Serialises a form once, so that a replay sends the same bytes: a platform would choose another boundary each time (B1). */

const escaped = (name: string): string => name.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22')
const withCrlf = (text: string): string => text.replace(/\r\n|\r|\n/g, '\r\n')

/**
 * The form as `multipart/form-data`; files stay where they are, none is read.
 *
 * @param boundary lower case, because a Blob keeps its type so
 * @see RFC 7578, and "multipart/form-data encoding algorithm" in the HTML standard
 */
export function encodeForm(form: FormData, boundary: string): Blob {
  const parts: BlobPart[] = []
  for (const [name, value] of form) {
    parts.push(`--${boundary}\r\nContent-Disposition: form-data; name="${escaped(withCrlf(name))}"`)
    if (typeof value === 'string') parts.push(`\r\n\r\n${withCrlf(value)}\r\n`)
    else {
      const type = value.type || 'application/octet-stream'
      parts.push(`; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`, value, '\r\n')
    }
  }
  parts.push(`--${boundary}--\r\n`)
  return new Blob(parts, { type: `multipart/form-data; boundary=${boundary}` })
}
