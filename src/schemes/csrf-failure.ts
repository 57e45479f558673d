/**
 * Whether the body of a refusal is about CSRF. Judges what it says, never what it merely holds: a page that says "you may not"
 * has its own token in a `<meta>`, in forms and in scripts. No standard names this failure, so it goes by the words of frameworks.
 */
import { jsonObject } from '../http/json.ts'

const TOPIC = '(?:[cx]srf|cross[- ]site request forgery|anti-?forgery|authenticity[ _-]?token)'
const FAILURE =
  '(?:invalid|missing|mismatch|incorrect|fail|expired|wrong|bad|reject|required|verify|not (?:set|found|match|present|provided|valid))'
/**
 * Both within one sentence, in either order: Django, Laravel, Rails, Spring, Symfony, Flask-WTF, gorilla/csrf, csurf, csrf-csrf,
 * Fastify, SAP, Atlassian. Then the two that compare origins and do not call it CSRF: SvelteKit with Astro, and Go.
 */
const SENTENCE = new RegExp(
  `${TOPIC}[^.!?\\n]{0,60}${FAILURE}|${FAILURE}[^.!?\\n]{0,60}${TOPIC}|cross-site \\w+ form submissions are forbidden|cross-origin request detected`,
  'i',
)
/** A code or a problem type, `csrf` or `urn:example:csrf`: one word, not a long one, with the topic in it. */
const WORD = /^\S{1,200}$/
const TOPICAL = new RegExp(TOPIC, 'i')

/** The members of JSON errors that say what is wrong. Any other may quote what somebody wrote, or carry the next token. */
const TELLING =
  /^(code|csrf|details?|errors?|error_?(code|description|message)|exception|message|messages|msg|name|reason|status|title|type)$/i
const MAX_DEPTH = 4

/** Linear in the length of the text. Never throws. */
export function saysCsrfFailed(text: string): boolean {
  const members = jsonObject(text)
  return members === null ? SENTENCE.test(visibleText(text)) : isTold(members, 0)
}

function isTold(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return SENTENCE.test(value) || (WORD.test(value) && TOPICAL.test(value))
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return false
  return Object.entries(value).some(
    ([name, inner]) => (Array.isArray(value) || TELLING.test(name)) && isTold(inner, depth + 1),
  )
}

/**
 * Markup, and what readers of a page never see. An element or a comment that does not end runs to the end of the page, so that
 * no text is tried twice.
 */
const MARKUP = /<!--[\s\S]*?(?:-->|$)|<(script|style|template)\b[\s\S]*?(?:<\/\1|$)|<[^<>]*>?/gi
const WITHIN_SENTENCES = /^<\/?(?:b|code|em|i|strong)\b/i

const visibleText = (html: string): string =>
  html.replace(/\s+/g, ' ').replace(MARKUP, (markup) => (WITHIN_SENTENCES.test(markup) ? '' : '\n'))
