import { HttpClient } from '@angular/common/http'
import { Injectable, inject, signal } from '@angular/core'
import { firstValueFrom } from 'rxjs'

/** Outlives the pages: what one has sent before the login is told to the one that is there after it. */
@Injectable({ providedIn: 'root' })
export class Orders {
  readonly #http = inject(HttpClient)
  readonly version = signal(0)

  async add(item: string): Promise<void> {
    await firstValueFrom(this.#http.post('/api/orders', { item }))
    this.version.update((version) => version + 1)
  }
}
