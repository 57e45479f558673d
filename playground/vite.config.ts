// The page of the playground, built as an app would build it: the package comes from dist/, found under its own name.
import { fileURLToPath } from 'node:url'
import { defineConfig, type UserConfig } from 'vite'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const config: UserConfig = defineConfig({
  // What it is served from is playground/server.ts, and nothing else.
  appType: 'mpa',
  // Whatever NODE_ENV whoever starts this has: a test runner's would build React for development.
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    outDir: here('../build/playground'),
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ['index.html', 'sign-in.html', 'tab.html'].map(here) },
  },
})

export default config
