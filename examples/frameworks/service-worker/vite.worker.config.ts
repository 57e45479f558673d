import { defineConfig } from 'vite'

// Beside the app, at an address that stays: one file and no module, because Firefox takes none as a service worker.
export default defineConfig({
  publicDir: false,
  build: {
    emptyOutDir: false,
    rolldownOptions: {
      input: 'src/worker.ts',
      output: { format: 'iife', entryFileNames: 'worker.js' },
    },
  },
})
