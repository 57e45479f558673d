import { Component, inject, resource } from '@angular/core'
import { API } from './api'
import { Failure } from './failure'

@Component({
  selector: 'app-reports',
  imports: [Failure],
  template: `
    @if (reports.error(); as error) {
      <app-failure [error]="error" />
    } @else if (reports.hasValue()) {
      <h1>Reports</h1>
      <ul>
        @for (report of reports.value(); track report) {
          <li>{{ report }}</li>
        }
      </ul>
    }
  `,
})
export class ReportsPage {
  readonly #api = inject(API)
  // Without HttpClient: a resource takes what a fetch gives.
  protected readonly reports = resource({
    loader: async ({ abortSignal }): Promise<string[]> => {
      const response = await this.#api('/api/reports', { signal: abortSignal })
      if (!response.ok) throw new Error(`The API has answered ${response.status}`)
      return response.json()
    },
  })
}
