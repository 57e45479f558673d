/** Where the user is, for an app of four pages; a larger one has SvelteKit. */
export const place = $state({ path: location.pathname })

export function go(url: string): void {
  history.pushState(null, '', url)
  place.path = location.pathname
}

addEventListener('popstate', () => {
  place.path = location.pathname
})
