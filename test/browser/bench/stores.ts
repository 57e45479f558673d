/** The stores that browsers have, by the names that pages/kit.js knows them by. */
export const STORES = ['webStorage', 'indexedDb', 'sharedTabs'] as const
export type StoreName = (typeof STORES)[number]
