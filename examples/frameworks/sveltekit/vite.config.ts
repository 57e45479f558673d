import adapter from '@sveltejs/adapter-node'
import { sveltekit } from '@sveltejs/kit/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  // Left out, the app is at https:// and whatever host it was asked for.
  plugins: [sveltekit({ adapter: adapter(), paths: { origin: process.env.ORIGIN } })],
})
