// The programs that the tests drive, browsers and a redis-server: where they are, and how they get there.
// `node scripts/programs.mjs [name …]` finds them, or those that are named, installs what is missing where it may (as root on
// Debian), and otherwise says what to install and fails: no test is skipped for want of its program.
// Runs before the packages do: Node's own modules only, and nothing newer than Node 20.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** Name → the variable that says where it is instead, the usual places, and the Debian package that brings it. */
const programs = {
  chrome: {
    variable: 'CHROME_PATH',
    places: [
      '/usr/bin/chromium',
      '/usr/bin/google-chrome',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
    ],
    package: 'chromium',
  },
  firefox: {
    variable: 'FIREFOX_PATH',
    places: [
      '/usr/bin/firefox-esr',
      '/usr/bin/firefox',
      '/Applications/Firefox.app/Contents/MacOS/firefox',
      'C:\\Program Files\\Mozilla Firefox\\firefox.exe',
    ],
    package: 'firefox-esr',
  },
  webkit: {
    variable: 'WEBKIT_PATH',
    // Read again after an installation.
    get places() {
      return webkitPlaces()
    },
    package: 'webkit2gtk-driver',
  },
  webkitDriver: {
    variable: 'WEBKIT_DRIVER_PATH',
    places: ['/usr/bin/WebKitWebDriver'],
    package: 'webkit2gtk-driver',
  },
  // WebKit draws to a display, of which a server has none.
  xvfb: {
    variable: 'XVFB_PATH',
    places: ['/usr/bin/Xvfb'],
    package: 'xvfb',
  },
  // Valkey is the same engine, for all that is asked of it here.
  redis: {
    variable: 'REDIS_SERVER_PATH',
    places: ['redis-server', 'valkey-server'].flatMap((name) =>
      ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'].map((folder) => `${folder}/${name}`),
    ),
    package: 'redis-server',
  },
}

/** A browser for tests, in the folder of its library: /usr/lib/<machine>/webkit2gtk-<version>/MiniBrowser. */
function webkitPlaces() {
  const names = (folder) => (existsSync(folder) ? readdirSync(folder) : [])
  const folders = names('/usr/lib').filter((name) => name.endsWith('-linux-gnu'))
  const found = folders.flatMap((folder) =>
    names(`/usr/lib/${folder}`)
      .filter((name) => name.startsWith('webkit2gtk-4.'))
      .map((name) => `/usr/lib/${folder}/${name}/MiniBrowser`),
  )
  return found.length > 0 ? found : ['/usr/lib/*/webkit2gtk-4.*/MiniBrowser']
}

/**
 * Where a program is; null where it is not.
 *
 * @param {string} name one of `programs`
 */
export function findProgram(name) {
  const { variable, places } = programs[name]
  const given = process.env[variable]
  // What was asked for by name is not replaced by something else that happens to be there.
  return (given ? [given] : places).find((place) => existsSync(place)) ?? null
}

const packagesOf = (names) => [...new Set(names.map((name) => programs[name].package))]
const wanted = (names) => (names.length > 0 ? names : Object.keys(programs))
const missing = () => wanted(process.argv.slice(2)).filter((name) => findProgram(name) === null)

function setUp() {
  if (missing().length === 0) return
  if (process.getuid?.() === 0 && isDebian()) install(packagesOf(missing()))
  const names = missing()
  if (names.length === 0) return
  console.error('The tests need programs that are not there:')
  for (const name of names) {
    const { variable, places } = programs[name]
    console.error(`  ${name}: not at ${process.env[variable] ?? places.join(', ')} (${variable} says where else)`)
  }
  console.error(
    `On Debian, as root: apt-get update && apt-get install --no-install-recommends ${packagesOf(names).join(' ')}`,
  )
  process.exitCode = 1
}

function isDebian() {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

function install(packages) {
  console.log(`Installing ${packages.join(' ')} with apt-get`)
  // Twice: mirrors answer wrongly now and then, and lists go out of date between the two commands.
  if (attempt(packages) || attempt(packages)) return
  console.error(`apt-get could not install ${packages.join(' ')}`)
}

// Without these files a package brings a program and no service: nobody asked for one on port 6379.
const SERVICES = [
  '/etc/init.d/redis-server',
  '/lib/systemd/system/redis-server*',
  '/usr/lib/systemd/system/redis-server*',
]

function attempt(packages) {
  // One source of several that does not answer is no reason to give up: the packages may be in the others.
  apt('update')
  const unserviced = SERVICES.flatMap((file) => ['-o', `Dpkg::Options::=--path-exclude=${file}`])
  return apt('install', '--no-install-recommends', ...unserviced, ...packages)
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // stdout is the caller's: its last line may be read by a program.
  const { status } = spawnSync('apt-get', ['-y', '-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp()
