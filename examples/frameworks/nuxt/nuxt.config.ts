export default defineNuxtConfig({
  compatibilityDate: '2026-11-01',
  devtools: { enabled: false },
  telemetry: false,
  // NUXT_API_URL, NUXT_AUTH_URL and NUXT_SESSION_SECRET where the app runs; none of them gets to the browser.
  runtimeConfig: { apiUrl: '', authUrl: '', sessionSecret: '' },
})
