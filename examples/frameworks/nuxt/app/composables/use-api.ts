/** What the API says, in the page and in its payload; no token is in either. */
export const useApi = <T>(path: string) => {
  const { $api } = useNuxtApp()
  return useAsyncData(path, async () => {
    const response = await $api(path)
    if (!response.ok) throw createError({ statusCode: response.status })
    return (await response.json()) as T
  })
}
