import { httpResource } from '@angular/common/http'
import { Component, inject, signal } from '@angular/core'
import { Failure } from './failure'
import { Orders } from './orders'

@Component({
  selector: 'app-orders',
  imports: [Failure],
  template: `
    @if (failure() ?? me.error() ?? items.error(); as error) {
      <app-failure [error]="error" />
    } @else if (me.hasValue() && items.hasValue()) {
      <h1>Orders of {{ me.value().name }}</h1>
      <ul>
        @for (item of items.value(); track item) {
          <li>{{ item }}</li>
        }
      </ul>
      <form (submit)="add($event, field.value)">
        <label>Item <input #field name="item" required></label>
        <button type="submit">Add</button>
      </form>
    }
  `,
})
export class OrdersPage {
  readonly #orders = inject(Orders)
  protected readonly failure = signal<unknown>(undefined)
  protected readonly me = httpResource<{ name: string }>(() => '/api/me')
  protected readonly items = httpResource<string[]>(() => ({
    url: '/api/orders',
    params: { version: this.#orders.version() },
  }))

  protected add(event: Event, item: string): void {
    event.preventDefault()
    this.#orders.add(item).catch((error: unknown) => this.failure.set(error))
  }
}
